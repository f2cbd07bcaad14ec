// SPDX-License-Identifier: Apache-2.0
// The page tables, walked as a CPU walks them, and where the tables lie.
#include "vmm/arch/entry_tables.hpp"

#include <gtest/gtest.h>

#include "vmm/arch/layout.hpp"

namespace mote::arch {
namespace {

GuestMemory ram(u64 size) {
  const GpaRange range{Gpa(0), size};
  auto memory = GuestMemory::create(std::span(&range, 1));
  CHECK(memory.has_value(), "a little RAM can be mapped");
  return *std::move(memory);
}

constexpr u64 kAddressBits = 0x000ffffffffff000;
constexpr u64 kUsable = 0x3;  // present and writable

/// 4-level paging [SDM 3A 4.5]; nothing where the address is not mapped.
std::optional<u64> walk(const GuestMemory& memory, u64 address) {
  u64 table = layout::kPml4.raw();
  for (u32 shift = 39;; shift -= 9) {
    u64 entry = 0;
    const u64 slot = (address >> shift) & 0x1ff;
    if (!memory.load(Gpa(table + 8 * slot), entry)) return std::nullopt;
    if ((entry & kUsable) != kUsable) return std::nullopt;
    if (shift == 21) {
      EXPECT_NE(entry & 0x80, 0u) << "a 2 MiB page";
      return (entry & kAddressBits) + (address & (kHugePageSize - 1));
    }
    EXPECT_EQ(entry & 0x80, 0u) << "a table";
    table = entry & kAddressBits;
  }
}

TEST(IdentityMap, EveryPageOfTheFirst4GiBIsItself) {
  const GuestMemory memory = ram(kMiB);
  ASSERT_TRUE(write_identity_map(memory));
  for (u64 address = 0; address < 4 * kGiB; address += kHugePageSize) {
    ASSERT_EQ(walk(memory, address), address);
  }
  EXPECT_EQ(walk(memory, 4 * kGiB - 1), 4 * kGiB - 1);
}

TEST(IdentityMap, EndsAt4GiB) {
  const GuestMemory memory = ram(kMiB);
  ASSERT_TRUE(write_identity_map(memory));
  EXPECT_EQ(walk(memory, 4 * kGiB), std::nullopt);
  EXPECT_EQ(walk(memory, u64{1} << 39), std::nullopt);
}

TEST(IdentityMap, StaysBelowTheBootStructures) {
  const GuestMemory memory = ram(kMiB);
  ASSERT_TRUE(write_identity_map(memory));
  u64 value = 1;
  ASSERT_TRUE(memory.load(layout::kStartInfo, value));
  EXPECT_EQ(value, 0u);
}

TEST(IdentityMap, IsRefusedWhenRamEndsBelowIt) {
  EXPECT_FALSE(write_identity_map(ram(0x7000)));
  EXPECT_TRUE(write_identity_map(ram(0x8000)));
}

TEST(Gdt, StartsWithTheNullDescriptor) {
  const GuestMemory memory = ram(kMiB);
  ASSERT_TRUE(write_gdt(memory, true));
  u64 null = 1;
  ASSERT_TRUE(memory.load(layout::kGdt, null));
  EXPECT_EQ(null, 0u);
}

TEST(Gdt, IsRefusedWhenRamEndsBelowIt) {
  EXPECT_FALSE(write_gdt(ram(0x1000), true));
}

}  // namespace
}  // namespace mote::arch
