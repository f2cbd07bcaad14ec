// SPDX-License-Identifier: Apache-2.0
// Behaviour of the guest's memory map.
#include "vmm/boot/memory_map.hpp"

#include <gtest/gtest.h>

#include "tests/unit/vmm/boot/image_builder.hpp"

namespace mote {
namespace {

/// "R" and "-" for RAM and reserved, with start and end.
std::string text_of(const std::vector<MemoryMapEntry>& map) {
  std::string text;
  char line[64];
  for (const MemoryMapEntry& entry : map) {
    std::snprintf(line, sizeof(line), "%s%lx-%lx ", entry.kind == MemoryKind::kRam ? "R" : "-",
                  entry.range.start.raw(), entry.range.end());
    text += line;
  }
  return text;
}

TEST(MemoryMap, ReservesTheFirmwareTables) {
  EXPECT_EQ(text_of(memory_map(test::make_memory(128 * kMiB))),
            "R0-9fc00 -9fc00-100000 R100000-8000000 ");
}

TEST(MemoryMap, HasNothingAbove1MiBWith1MiB) {
  EXPECT_EQ(text_of(memory_map(test::make_memory(kMiB))), "R0-9fc00 -9fc00-100000 ");
}

TEST(MemoryMap, GoesOnBehindTheHole) {
  EXPECT_EQ(text_of(memory_map(test::make_memory(4 * kGiB))),
            "R0-9fc00 -9fc00-100000 R100000-c0000000 R100000000-140000000 ");
}

TEST(ImageSpace, IsBelow4GiBAndClearOfTheMonitorsStructures) {
  EXPECT_EQ(describe(image_space(test::make_memory(4 * kGiB))),
            "0x10000-0x9fbff and 0x100000-0xbfffffff");
}

TEST(ImageSpace, IsLowMemoryOnlyWith1MiB) {
  EXPECT_EQ(describe(image_space(test::make_memory(kMiB))), "0x10000-0x9fbff");
}

TEST(LiesWithin, HoldsForAWholeRange) {
  const GpaRange range{Gpa(0x1000), 0x1000};
  EXPECT_TRUE(lies_within({&range, 1}, Gpa(0x1000), 0x1000));
}

TEST(LiesWithin, FailsOneByteBeyondTheEnd) {
  const GpaRange range{Gpa(0x1000), 0x1000};
  EXPECT_FALSE(lies_within({&range, 1}, Gpa(0x1000), 0x1001));
}

TEST(LiesWithin, FailsOneByteBelowTheStart) {
  const GpaRange range{Gpa(0x1000), 0x1000};
  EXPECT_FALSE(lies_within({&range, 1}, Gpa(0xfff), 2));
}

TEST(LiesWithin, FailsForSizesThatWrapAround) {
  const GpaRange range{Gpa(0x1000), 0x1000};
  EXPECT_FALSE(lies_within({&range, 1}, Gpa(0x1800), ~u64{0}));
}

TEST(LiesWithin, FailsAcrossTwoRanges) {
  const std::vector<GpaRange> ranges{{Gpa(0x1000), 0x1000}, {Gpa(0x2000), 0x1000}};
  EXPECT_FALSE(lies_within(ranges, Gpa(0x1800), 0x1000));
}

}  // namespace
}  // namespace mote
