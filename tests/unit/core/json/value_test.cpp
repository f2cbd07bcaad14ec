// SPDX-License-Identifier: Apache-2.0
#include "core/json/value.hpp"

#include <gtest/gtest.h>

namespace mote::json {
namespace {

std::string problem(std::string_view text) {
  const auto value = parse(text);
  return value ? "accepted" : value.error().message();
}

TEST(JsonValue, KeepsWhatStandsThere) {
  const auto root = parse(
      R"( {"a": [1, -2.50e3, 18446744073709551616], "b": {"c": null}, "d": true, "e": "x\u00e9\n"} )");
  ASSERT_TRUE(root) << root.error().message();
  ASSERT_EQ(root->kind, Kind::kObject);
  const Value* const a = root->find("a");
  ASSERT_NE(a, nullptr);
  ASSERT_EQ(a->members.size(), 3U);
  EXPECT_EQ(a->members[0].value.text, "1");
  EXPECT_EQ(a->members[1].value.text, "-2.50e3");
  EXPECT_EQ(a->members[2].value.text, "18446744073709551616") << "no number is rounded";
  EXPECT_TRUE(root->find("b")->find("c")->is_null());
  EXPECT_TRUE(root->find("d")->boolean);
  EXPECT_EQ(root->find("e")->text, "x\u00e9\n");
  EXPECT_EQ(root->find("f"), nullptr);
}

TEST(JsonValue, KnowsWherePartsEnd) {
  const auto root = parse(R"({"a": 12, "bc":["x"] })");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->end, 22U);
  EXPECT_EQ(root->members[0].name_end, 4U);
  EXPECT_EQ(root->members[0].value.end, 8U);
  EXPECT_EQ(root->members[1].name_end, 14U);
  EXPECT_EQ(root->members[1].value.members[0].value.end, 19U);
  EXPECT_EQ(root->members[1].value.end, 20U);
}

TEST(JsonValue, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(problem(""), "EOF while parsing a value at line 1 column 0");
  EXPECT_EQ(problem("  \n "), "EOF while parsing a value at line 2 column 1");
  EXPECT_EQ(problem("{"), "EOF while parsing an object at line 1 column 1");
  EXPECT_EQ(problem("[1,"), "EOF while parsing a list at line 1 column 3");
  EXPECT_EQ(problem("nonsense"), "expected value at line 1 column 2");
  EXPECT_EQ(problem("{} x"), "trailing characters at line 1 column 4");
  EXPECT_EQ(problem(std::string_view("{}\0", 3)), "trailing characters at line 1 column 3");
  EXPECT_EQ(problem("{1: 2}"), "key must be a string at line 1 column 2");
  EXPECT_EQ(problem(R"({"a" 2})"), "expected `:` at line 1 column 6");
  EXPECT_EQ(problem("{\n\"a\": 1 2}"), "expected `,` or `}` at line 2 column 8");
  EXPECT_EQ(problem("[1 2]"), "expected `,` or `]` at line 1 column 4");
  EXPECT_EQ(problem("[1,]"), "expected value at line 1 column 4");
  EXPECT_EQ(problem(R"(["\q"])"), "invalid escape at line 1 column 3");
  EXPECT_EQ(problem(R"(["\ud800"])"), "lone surrogate in hex escape at line 1 column 3");
  EXPECT_EQ(problem("[\"\xff\"]"), "invalid unicode code point at line 1 column 3");
  EXPECT_EQ(problem("[1e999]"), "number out of range at line 1 column 2");
  EXPECT_EQ(problem("[NaN]"), "expected value at line 1 column 2");
  EXPECT_NE(problem("[01]"), "accepted");
  EXPECT_NE(problem("[\"a\nb\"]"), "accepted");
  EXPECT_NE(problem("// comment\n{}"), "accepted");
}

TEST(JsonValue, HasLimits) {
  const std::string deep(64, '[');
  EXPECT_EQ(problem(deep + std::string(64, ']')), "accepted");
  EXPECT_EQ(problem(deep + "["), "recursion limit exceeded at line 1 column 65");
  EXPECT_NE(problem(std::string(50'000, '[')), "accepted");
  std::string many = "[0";
  for (std::size_t i = 2; i < kMaxValues; ++i) many += ",0";
  EXPECT_EQ(problem(many + "]"), "accepted");
  EXPECT_NE(problem(many + ",0]").find("too many values"), std::string::npos);
}

}  // namespace
}  // namespace mote::json
