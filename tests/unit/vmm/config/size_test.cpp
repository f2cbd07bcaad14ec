// SPDX-License-Identifier: Apache-2.0
// Behaviour of sizes as people write them.
#include "vmm/config/size.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

std::string refusal(std::string_view text) {
  const auto size = parse_size(text);
  return size ? "accepted" : size.error().message();
}

constexpr char kHelp[] = " -- write a whole number and KiB, MiB, GiB or TiB, as in 128MiB";

TEST(ParseSize, KnowsTheUnits) {
  EXPECT_EQ(*parse_size("512KiB"), 512 * kKiB);
  EXPECT_EQ(*parse_size("128MiB"), 128 * kMiB);
  EXPECT_EQ(*parse_size("3GiB"), 3 * kGiB);
  EXPECT_EQ(*parse_size("1TiB"), 1024 * kGiB);
  EXPECT_EQ(*parse_size("0MiB"), 0u);
}

TEST(ParseSize, WantsAUnit) {
  EXPECT_EQ(refusal("128"), std::string("'128' is no size: the unit is missing") + kHelp);
}

TEST(ParseSize, RefusesDecimalUnits) {
  EXPECT_EQ(refusal("128MB"), std::string("'128MB' is no size: the unit is unknown") + kHelp);
  EXPECT_EQ(refusal("1.5GiB"), std::string("'1.5GiB' is no size: the unit is unknown") + kHelp);
  EXPECT_EQ(refusal("128 MiB"), std::string("'128 MiB' is no size: the unit is unknown") + kHelp);
}

TEST(ParseSize, WantsADigitFirst) {
  EXPECT_EQ(refusal(""), std::string("'' is no size: it starts with no digit") + kHelp);
  EXPECT_EQ(refusal("-1MiB"), std::string("'-1MiB' is no size: it starts with no digit") + kHelp);
  EXPECT_EQ(refusal(" 1MiB"), std::string("' 1MiB' is no size: it starts with no digit") + kHelp);
}

TEST(ParseSize, RefusesWhatDoesNotFit) {
  EXPECT_EQ(*parse_size("16777215TiB"), u64{16777215} * 1024 * kGiB);
  EXPECT_EQ(refusal("16777216TiB"),
            std::string("'16777216TiB' is no size: it does not fit 64 bits") + kHelp);
  EXPECT_EQ(refusal("99999999999999999999KiB"),
            std::string("'99999999999999999999KiB' is no size: it does not fit 64 bits") + kHelp);
}

TEST(ParseSize, BlamesTheConfiguration) {
  EXPECT_EQ(parse_size("x").error().fault(), Fault::kConfig);
}

TEST(PrintSize, TakesTheLargestUnitThatIsExact) {
  EXPECT_EQ(print_size(kGiB), "1GiB");
  EXPECT_EQ(print_size(1536 * kMiB), "1536MiB");
  EXPECT_EQ(print_size(4 * kKiB), "4KiB");
  EXPECT_EQ(print_size(4097), "4097 bytes");
  EXPECT_EQ(print_size(0), "0 bytes");
}

TEST(PrintSize, IsReadBack) {
  for (const u64 bytes : {u64{kKiB}, 3 * kMiB, 5 * kGiB, 2048 * kGiB}) {
    EXPECT_EQ(*parse_size(print_size(bytes)), bytes);
  }
}

}  // namespace
}  // namespace mote
