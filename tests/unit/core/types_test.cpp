// SPDX-License-Identifier: Apache-2.0
// Arithmetic of sizes and guest-physical addresses at its ends.
#include "core/types.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

constexpr u64 kMax = ~u64{0};

TEST(AlignUp, KeepsMultiplesAndRaisesTheRest) {
  EXPECT_EQ(align_up(0, 4096), 0u);
  EXPECT_EQ(align_up(1, 4096), 4096u);
  EXPECT_EQ(align_up(4095, 4096), 4096u);
  EXPECT_EQ(align_up(4096, 4096), 4096u);
  EXPECT_EQ(align_up(4097, 4096), 8192u);
}

TEST(AlignUp, ToOneChangesNothing) {
  EXPECT_EQ(align_up(kMax, 1), kMax);
}

TEST(AlignUp, RefusesWhatDoesNotFit64Bits) {
  EXPECT_EQ(align_up(kMax - 4095, 4096), kMax - 4095);  // the last multiple
  EXPECT_EQ(align_up(kMax - 4094, 4096), std::nullopt);
  EXPECT_EQ(align_up(kMax, 2), std::nullopt);
}

TEST(GpaTest, CheckedAddReachesTheLastAddress) {
  EXPECT_EQ(Gpa(kMax - 8).checked_add(8), Gpa(kMax));
  EXPECT_EQ(Gpa(kMax).checked_add(0), Gpa(kMax));
  EXPECT_EQ(Gpa(0).checked_add(kMax), Gpa(kMax));
}

TEST(GpaTest, CheckedAddRefusesToWrap) {
  EXPECT_EQ(Gpa(kMax - 8).checked_add(9), std::nullopt);
  EXPECT_EQ(Gpa(kMax).checked_add(1), std::nullopt);
  EXPECT_EQ(Gpa(1).checked_add(kMax), std::nullopt);
}

TEST(GpaRangeTest, ContainsItsFirstByteAndNotItsEnd) {
  const GpaRange range{Gpa(0x1000), 0x1000};
  EXPECT_FALSE(range.contains(Gpa(0xfff)));
  EXPECT_TRUE(range.contains(Gpa(0x1000)));
  EXPECT_TRUE(range.contains(Gpa(0x1fff)));
  EXPECT_FALSE(range.contains(Gpa(0x2000)));
}

TEST(GpaRangeTest, EmptyContainsNothing) {
  EXPECT_FALSE((GpaRange{Gpa(0x1000), 0}.contains(Gpa(0x1000))));
}

TEST(GpaRangeTest, NeighboursDoNotOverlap) {
  const GpaRange middle{Gpa(0x2000), 0x1000};
  EXPECT_FALSE(middle.overlaps({Gpa(0x1000), 0x1000}));
  EXPECT_FALSE(middle.overlaps({Gpa(0x3000), 0x1000}));
}

TEST(GpaRangeTest, OneSharedByteIsAnOverlap) {
  const GpaRange middle{Gpa(0x2000), 0x1000};
  EXPECT_TRUE(middle.overlaps({Gpa(0x1000), 0x1001}));
  EXPECT_TRUE(middle.overlaps({Gpa(0x2fff), 0x1000}));
  EXPECT_TRUE(middle.overlaps({Gpa(0x2800), 1}));
  EXPECT_TRUE(middle.overlaps({Gpa(0), 0x10000}));
}

}  // namespace
}  // namespace mote
