// SPDX-License-Identifier: Apache-2.0
// The registers at entry: what each protocol promises, and that the descriptor table in guest RAM
// says the same as the hidden parts of the segment registers.
#include "vmm/arch/cpu_state.hpp"

#include <gtest/gtest.h>

#include "vmm/arch/entry_tables.hpp"
#include "vmm/arch/layout.hpp"

namespace mote::arch {
namespace {

constexpr u64 kEntry = 0x1000200;

TEST(PvhEntry, IsFlatProtectedModeWithoutPaging) {
  const CpuState state = pvh_entry_state(kEntry, Gpa(0x8000));
  EXPECT_EQ(state.rip, kEntry);
  EXPECT_EQ(state.rbx, 0x8000u);
  EXPECT_EQ(state.cr0 & 0x80000001, 1u) << "PE, not PG";
  EXPECT_EQ(state.cr4, 0u);
  EXPECT_EQ(state.efer, 0u);
  EXPECT_TRUE(state.code.default_big);
  EXPECT_FALSE(state.code.long_mode);
  EXPECT_EQ(state.code.base, 0u);
  EXPECT_EQ(state.code.limit, 0xffffffffu);
  EXPECT_EQ(state.data.limit, 0xffffffffu);
  EXPECT_EQ(state.task.limit, 0x67u);
}

TEST(Linux64Entry, IsLongModeOnTheIdentityMap) {
  const CpuState state = linux64_entry_state(kEntry, Gpa(0x9000));
  EXPECT_EQ(state.rip, kEntry);
  EXPECT_EQ(state.rsi, 0x9000u);
  EXPECT_EQ(state.cr0 & 0x80000001, 0x80000001u) << "PE and PG";
  EXPECT_EQ(state.cr3, layout::kPml4.raw());
  EXPECT_EQ(state.cr4, 0x20u) << "PAE";
  EXPECT_EQ(state.efer, 0x500u) << "LME and LMA";
  EXPECT_TRUE(state.code.long_mode);
  EXPECT_FALSE(state.code.default_big) << "L and D exclude each other";
}

TEST(Linux64Entry, TheSelectorsAreTheProtocols) {
  const CpuState state = linux64_entry_state(kEntry, Gpa(0x9000));
  EXPECT_EQ(state.code.selector, 0x10);
  EXPECT_EQ(state.data.selector, 0x18);
}

/// A segment from its descriptor [SDM 3A 3.4.5].
Segment decode(u64 descriptor, u16 selector) {
  const auto bit = [descriptor](u32 position) { return ((descriptor >> position) & 1) != 0; };
  Segment segment;
  segment.selector = selector;
  segment.base = ((descriptor >> 16) & 0xffffff) | ((descriptor >> 56) << 24);
  segment.type = static_cast<u8>((descriptor >> 40) & 0xf);
  segment.code_or_data = bit(44);
  segment.dpl = static_cast<u8>((descriptor >> 45) & 3);
  segment.present = bit(47);
  segment.long_mode = bit(53);
  segment.default_big = bit(54);
  segment.granularity = bit(55);
  const auto limit = static_cast<u32>((descriptor & 0xffff) | ((descriptor >> 32) & 0xf0000));
  segment.limit = segment.granularity ? (limit << 12) | 0xfff : limit;
  return segment;
}

void expect_as_in_gdt(const GuestMemory& memory, const CpuState& state, const Segment& segment) {
  SCOPED_TRACE(segment.selector);
  ASSERT_LE(segment.selector + 7u, state.gdt_limit);
  u64 descriptor = 0;
  ASSERT_TRUE(memory.load(*state.gdt.checked_add(segment.selector), descriptor));
  const Segment loaded = decode(descriptor, segment.selector);
  EXPECT_EQ(loaded.base, segment.base);
  EXPECT_EQ(loaded.limit, segment.limit);
  EXPECT_EQ(loaded.type, segment.type);
  EXPECT_EQ(loaded.present, segment.present);
  EXPECT_EQ(loaded.dpl, segment.dpl);
  EXPECT_EQ(loaded.default_big, segment.default_big);
  EXPECT_EQ(loaded.code_or_data, segment.code_or_data);
  EXPECT_EQ(loaded.long_mode, segment.long_mode);
  EXPECT_EQ(loaded.granularity, segment.granularity);
}

void expect_agreement(const CpuState& state, bool long_mode) {
  const GpaRange range{Gpa(0), kMiB};
  const auto memory = GuestMemory::create(std::span(&range, 1));
  ASSERT_TRUE(memory.has_value());
  ASSERT_TRUE(write_gdt(*memory, long_mode));
  expect_as_in_gdt(*memory, state, state.code);
  expect_as_in_gdt(*memory, state, state.data);
  expect_as_in_gdt(*memory, state, state.task);
}

TEST(EntrySegments, AreWhatTheGdtSaysIn32BitMode) {
  expect_agreement(pvh_entry_state(kEntry, Gpa(0x8000)), false);
}

TEST(EntrySegments, AreWhatTheGdtSaysIn64BitMode) {
  expect_agreement(linux64_entry_state(kEntry, Gpa(0x9000)), true);
}

}  // namespace
}  // namespace mote::arch
