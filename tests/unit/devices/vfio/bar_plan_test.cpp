// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/bar_plan.hpp"

#include <gtest/gtest.h>

namespace mote::vfio {
namespace {

Region whole(u64 size) {
  return {size, {{0, size}}};
}

using Areas = std::vector<Area>;

TEST(BarPlan, ABarWithoutTableIsTheGuests) {
  const MsixPlace place{.vectors = 3, .table_bar = 3, .pending_bar = 3, .pending_offset = 0x2000};
  EXPECT_EQ(direct_areas(0, whole(0x4000), place), (Areas{{0, 0x4000}}));
}

TEST(BarPlan, PagesOfTableAndPendingBitsAreOurs) {
  const MsixPlace place{.vectors = 3, .table_bar = 3, .pending_bar = 3, .pending_offset = 0x2000};
  EXPECT_EQ(direct_areas(3, whole(0x4000), place), (Areas{{0x1000, 0x1000}, {0x3000, 0x1000}}));
}

TEST(BarPlan, TableAndPendingBitsMayBeInDifferentBars) {
  const MsixPlace place{.vectors = 3, .table_bar = 2, .table_offset = 0x1000, .pending_bar = 4};
  EXPECT_EQ(direct_areas(2, whole(0x2000), place), (Areas{{0, 0x1000}}));
  EXPECT_EQ(direct_areas(4, whole(0x2000), place), (Areas{{0x1000, 0x1000}}));
}

TEST(BarPlan, ATableThatIsNotAlignedTakesAllPagesItTouches) {
  const MsixPlace place{.vectors = 2, .table_bar = 0, .table_offset = 0x1ff0, .pending_bar = 5};
  EXPECT_EQ(direct_areas(0, whole(0x8000), place), (Areas{{0, 0x1000}, {0x3000, 0x5000}}));
}

TEST(BarPlan, ALargeTableTakesSeveralPages) {
  const MsixPlace place{.vectors = 2048,
                        .table_bar = 0,
                        .table_offset = 0x1000,
                        .pending_bar = 0,
                        .pending_offset = 0x9000};
  EXPECT_EQ(direct_areas(0, whole(0x10000), place), (Areas{{0, 0x1000}, {0xa000, 0x6000}}));
}

TEST(BarPlan, ASmallBarWithBothIsOurs) {
  const MsixPlace place{.vectors = 8, .table_bar = 1, .pending_bar = 1, .pending_offset = 0x800};
  EXPECT_EQ(direct_areas(1, whole(0x1000), place), Areas{});
}

TEST(BarPlan, BelowAPageNothingIsMapped) {
  const MsixPlace place{.vectors = 1, .table_bar = 4, .pending_bar = 4, .pending_offset = 0x800};
  EXPECT_EQ(direct_areas(0, whole(0x100), place), Areas{});
}

TEST(BarPlan, OnlyWhatTheKernelMapsIsMapped) {
  const MsixPlace place{.vectors = 1, .table_bar = 0, .table_offset = 0x4000, .pending_bar = 4};
  EXPECT_EQ(direct_areas(0, {0x8000, {{0, 0x2000}, {0x3000, 0x4000}}}, place),
            (Areas{{0, 0x2000}, {0x3000, 0x1000}, {0x5000, 0x2000}}));
  EXPECT_EQ(direct_areas(0, {0x8000, {}}, place), Areas{});
}

TEST(BarPlan, ATableHasToFit) {
  const u64 sizes[] = {0x1000, 0, 0, 0x4000, 0, 0};
  const MsixPlace good{.vectors = 256, .table_bar = 0, .pending_bar = 3};
  EXPECT_TRUE(check_place(good, sizes, "x"));
  MsixPlace place = good;
  place.vectors = 257;
  EXPECT_FALSE(check_place(place, sizes, "x")) << "beyond the end";
  place = good;
  place.table_bar = 1;
  EXPECT_FALSE(check_place(place, sizes, "x")) << "a BAR that is not there";
  place = good;
  place.pending_bar = 7;
  EXPECT_FALSE(check_place(place, sizes, "x")) << "a BAR that cannot be";
  place = good;
  place.pending_offset = 0x4000;
  EXPECT_FALSE(check_place(place, sizes, "x")) << "pending bits beyond the end";
  place = good;
  place.pending_bar = 0;
  place.pending_offset = 0xff8;
  EXPECT_FALSE(check_place(place, sizes, "x")) << "one over the other";
}

}  // namespace
}  // namespace mote::vfio
