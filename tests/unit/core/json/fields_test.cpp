// SPDX-License-Identifier: Apache-2.0
#include "core/json/fields.hpp"

#include <gtest/gtest.h>

namespace mote::json {
namespace {

enum class Colour { kRed, kBlue };

struct Thing {
  std::string name;
  u8 count = 7;
  bool flag = false;
  std::optional<u64> size;
  Colour colour = Colour::kRed;
};

constexpr Field<Thing> kFields[] = {
    {"name", Need::kRequired,
     [](Reader& r, const Value& v, Thing& t) { return r.read(v, t.name); }},
    {"count", Need::kOptional,
     [](Reader& r, const Value& v, Thing& t) { return r.read(v, t.count); }},
    {"flag", Need::kOptional,
     [](Reader& r, const Value& v, Thing& t) { return r.read(v, t.flag); }},
    {"size", Need::kOptional,
     [](Reader& r, const Value& v, Thing& t) { return r.read(v, t.size); }},
    {"colour", Need::kOptional,
     [](Reader& r, const Value& v, Thing& t) {
       static constexpr std::array<std::string_view, 2> kNames = {"Red", "Blue"};
       return r.read_variant(v, kNames, std::array{Colour::kRed, Colour::kBlue}, t.colour);
     }},
};

Result<Thing> read(std::string_view text, Unknown unknown = Unknown::kRefuse) {
  const Value value = TRY(parse(text));
  Reader reader;
  Thing thing;
  if (!read_object(reader, value, "struct Thing", kFields, thing, unknown)) {
    return reader.error(text);
  }
  return thing;
}

std::string problem(std::string_view text) {
  const auto thing = read(text);
  return thing ? "accepted" : thing.error().message();
}

TEST(JsonFields, ReadsEveryKind) {
  const auto thing = read(
      R"({"size": 18446744073709551615, "colour": "Blue", "name": "x", "count": 255, "flag": true})");
  ASSERT_TRUE(thing) << thing.error().message();
  EXPECT_EQ(thing->name, "x");
  EXPECT_EQ(thing->count, 255);
  EXPECT_TRUE(thing->flag);
  EXPECT_EQ(thing->size, 18446744073709551615U);
  EXPECT_EQ(thing->colour, Colour::kBlue);
}

TEST(JsonFields, TakesNullForWhatMayBeAbsent) {
  const auto thing =
      read(R"({"name": "", "count": null, "flag": null, "size": null, "colour": null})");
  ASSERT_TRUE(thing) << thing.error().message();
  EXPECT_EQ(thing->count, 7);
  EXPECT_EQ(thing->size, std::nullopt);
  EXPECT_EQ(problem(R"({"name": null})"),
            "invalid type: null, expected a string at line 1 column 13");
}

TEST(JsonFields, SaysWhatIsWrongAsSerdeDoes) {
  EXPECT_EQ(problem("{}"), "missing field `name` at line 1 column 2");
  EXPECT_EQ(
      problem(R"({"name": "a", "nam": 1})"),
      "unknown field `nam`, expected one of `name`, `count`, `flag`, `size`, `colour` at line 1 "
      "column 19");
  EXPECT_EQ(problem(R"({"name": "a", "name": "b"})"), "duplicate field `name` at line 1 column 20");
  EXPECT_EQ(problem("[]"), "invalid type: sequence, expected struct Thing at line 1 column 2");
  EXPECT_EQ(problem(R"({"name": 5})"),
            "invalid type: integer `5`, expected a string at line 1 column 10");
  EXPECT_EQ(problem(R"({"count": "5"})"),
            "invalid type: string \"5\", expected u8 at line 1 column 13");
  EXPECT_EQ(problem(R"({"count": 1.5})"),
            "invalid type: floating point `1.5`, expected u8 at line 1 column 13");
  EXPECT_EQ(problem(R"({"count": 256})"),
            "invalid value: integer `256`, expected u8 at line 1 column 13");
  EXPECT_EQ(problem(R"({"count": -1})"),
            "invalid value: integer `-1`, expected u8 at line 1 column 12");
  EXPECT_EQ(problem(R"({"size": 18446744073709551616})"),
            "invalid value: integer `18446744073709551616`, expected u64 at line 1 column 29");
  EXPECT_EQ(problem(R"({"flag": {}})"),
            "invalid type: map, expected a boolean at line 1 column 11");
  EXPECT_EQ(problem("{\"colour\":\n\"Green\"}"),
            "unknown variant `Green`, expected `Red` or `Blue` at line 2 column 7");
  EXPECT_EQ(problem(R"({"name": "a\u0000b"})"),
            "invalid value: string with a NUL character, expected a string at line 1 column 19");
}

TEST(JsonFields, CanIgnoreWhatItDoesNotKnow) {
  EXPECT_TRUE(read(R"({"name": "a", "x": [{}]})", Unknown::kIgnore));
  EXPECT_FALSE(read(R"({"name": "a", "name": "b"})", Unknown::kIgnore));
}

}  // namespace
}  // namespace mote::json
