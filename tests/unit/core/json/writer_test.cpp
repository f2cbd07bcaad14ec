// SPDX-License-Identifier: Apache-2.0
#include "core/json/writer.hpp"

#include <gtest/gtest.h>

namespace mote::json {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_string(out, text);
  return out;
}

TEST(JsonWriter, PutsCommasBetween) {
  Writer writer;
  writer.begin_object().key("a").number(-1).key("b").begin_array();
  writer.string("x").null().boolean(true).begin_object().end_object().raw("1.5").end_array();
  writer.key("c").number(u64{18446744073709551615U}).end_object();
  EXPECT_EQ(writer.take(), R"({"a":-1,"b":["x",null,true,{},1.5],"c":18446744073709551615})");
}

TEST(JsonWriter, EscapesWhatStringsMayNotHold) {
  EXPECT_EQ(quoted("a\"b\\c\nd\x01\x7f"), R"("a\"b\\c\nd\u0001\u007f")");
  EXPECT_EQ(quoted(std::string_view("\0", 1)), R"("\u0000")");
}

TEST(JsonWriter, KeepsUnicodeAndReplacesWhatIsNone) {
  EXPECT_EQ(quoted("\u00e9 \u20ac \U0001f600"), "\"\u00e9 \u20ac \U0001f600\"");
  const std::string replaced = "\"\ufffd\"";
  EXPECT_EQ(quoted("\xff"), replaced);
  EXPECT_EQ(quoted("\xc3"), replaced) << "cut off";
  EXPECT_EQ(quoted("\xc0\x80"), "\"\ufffd\ufffd\"") << "longer than need be";
  EXPECT_EQ(quoted("\xed\xa0\x80"), "\"\ufffd\ufffd\ufffd\"") << "half of a pair";
}

}  // namespace
}  // namespace mote::json
