// SPDX-License-Identifier: Apache-2.0
// CPUID as each vCPU of a machine sees it.
#include "vmm/arch/cpuid.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace mote::arch {
namespace {

constexpr u32 kNoise = 0xffffffff;

CpuidEntry noisy(u32 function, u32 index = 0, bool has_index = false) {
  return {function, index, has_index, kNoise, kNoise, kNoise, kNoise};
}

/// Leaf 4 for a cache of `level`, as a host of 64 CPUs reports it.
CpuidEntry cache(u32 function, u32 index, u32 level) {
  return {function, index, true, 0xfc0fc000u | (level << 5) | 1, 0x01c0003f, 0x3f, 0};
}

/// What KVM lists, in short; bits that must change are set wrong.
CpuidTable host_table() {
  return {
      {.function = 0, .eax = 0x1f},
      noisy(1),
      cache(4, 0, 1),
      cache(4, 1, 2),
      cache(4, 2, 3),
      {.function = 4, .index = 3, .has_index = true},
      noisy(6),
      noisy(0xb, 0, true),
      noisy(0xb, 1, true),
      noisy(0x1f, 0, true),
      {.function = 0x40000000, .eax = 0x40000001, .ebx = 0x4b4d564b},
      noisy(0x80000008),
      cache(0x8000001d, 3, 3),
      noisy(0x8000001e),
  };
}

const CpuidEntry& find(const CpuidTable& table, u32 function, u32 index = 0) {
  static const CpuidEntry kNone{.function = 0xdead};
  for (const CpuidEntry& entry : table) {
    if (entry.function == function && entry.index == index) return entry;
  }
  ADD_FAILURE() << "no leaf " << std::hex << function << "." << index;
  return kNone;
}

CpuidTable normalized(u32 vcpus, u32 tsc_khz = 2'500'000) {
  CpuidTable table = host_table();
  normalize_cpuid(table, vcpus, tsc_khz);
  return table;
}

u32 bits(u32 value, u32 low, u32 count) {
  return (value >> low) & ((1u << count) - 1);
}

TEST(Cpuid, ShowsTscDeadlineAndHypervisor) {
  CpuidTable table = {{.function = 1}};
  normalize_cpuid(table, 1, 0);
  EXPECT_EQ(table[0].ecx, (1u << 24) | (1u << 31));
}

TEST(Cpuid, CountsTheProcessorsOfThePackage) {
  EXPECT_EQ(bits(find(normalized(4), 1).ebx, 16, 8), 4u);
  EXPECT_EQ(bits(find(normalized(4), 1).edx, 28, 1), 1u);
  EXPECT_EQ(bits(find(normalized(1), 1).edx, 28, 1), 0u);
  EXPECT_EQ(bits(find(normalized(4), 0x80000008).ecx, 0, 8), 3u);
  EXPECT_EQ(bits(find(normalized(4), 0x80000008).ecx, 12, 4), 2u);
}

TEST(Cpuid, TellsTscAndApicFrequency) {
  const CpuidTable table = normalized(1, 2'345'678);
  EXPECT_EQ(find(table, 0x40000000).eax, 0x40000010u);
  EXPECT_EQ(find(table, 0x40000000).ebx, 0x4b4d564bu) << "KVM's signature stays";
  EXPECT_EQ(find(table, 0x40000010).eax, 2'345'678u);
  EXPECT_EQ(find(table, 0x40000010).ebx, 1'000'000u);
}

TEST(Cpuid, TellsTheFrequencyOnceWhereTheHostListsItToo) {
  CpuidTable table = host_table();
  table.push_back(noisy(0x40000010));
  normalize_cpuid(table, 1, 2'000'000);
  EXPECT_EQ(std::count_if(table.begin(), table.end(),
                          [](const CpuidEntry& e) { return e.function == 0x40000010; }),
            1);
}

TEST(Cpuid, LeavesTheFrequencyOutWhenItIsUnknown) {
  const CpuidTable table = normalized(1, 0);
  EXPECT_EQ(find(table, 0x40000000).eax, 0x40000001u);
  for (const CpuidEntry& entry : table) EXPECT_NE(entry.function, 0x40000010u);
}

TEST(Cpuid, HidesTheHostsPerformanceCounters) {
  EXPECT_EQ(find(normalized(1), 6).ecx, 0u);
}

TEST(Cpuid, OneThreadPerCoreAllCoresInOnePackage) {
  for (const auto& [vcpus, width] : {std::pair{1u, 0u}, {2u, 1u}, {3u, 2u}, {4u, 2u}, {32u, 5u}}) {
    const CpuidTable table = normalized(vcpus);
    const CpuidEntry& thread = find(table, 0xb, 0);
    EXPECT_EQ(thread.eax, 0u);
    EXPECT_EQ(thread.ebx, 1u);
    EXPECT_EQ(thread.ecx, 0x100u);
    const CpuidEntry& core = find(table, 0xb, 1);
    EXPECT_EQ(core.eax, width) << vcpus;
    EXPECT_EQ(core.ebx, vcpus);
    EXPECT_EQ(core.ecx, 0x201u);
  }
}

TEST(Cpuid, AppendsTheCoreLevelWhereTheHostListsOnlyThreads) {
  const CpuidTable table = normalized(4);
  const CpuidEntry& core = find(table, 0x1f, 1);
  EXPECT_TRUE(core.has_index);
  EXPECT_EQ(core.eax, 2u);
  EXPECT_EQ(core.ebx, 4u);
  EXPECT_EQ(core.ecx, 0x201u);
}

TEST(Cpuid, ListsEachLeafOnce) {
  const CpuidTable table = normalized(4);
  for (std::size_t i = 0; i < table.size(); ++i) {
    for (std::size_t j = i + 1; j < table.size(); ++j) {
      EXPECT_FALSE(table[i].function == table[j].function && table[i].index == table[j].index)
          << std::hex << table[i].function << "." << table[i].index;
    }
  }
}

TEST(Cpuid, AddsNoTopologyToAHostWithoutOne) {
  CpuidTable table = {{.function = 1}};
  normalize_cpuid(table, 4, 0);
  EXPECT_EQ(table.size(), 1u);
}

TEST(Cpuid, LevelsAboveTheCoreAreEmpty) {
  CpuidTable table = {noisy(0xb, 0, true), noisy(0xb, 1, true), noisy(0xb, 2, true)};
  normalize_cpuid(table, 4, 0);
  EXPECT_EQ(table[2].eax, 0u);
  EXPECT_EQ(table[2].ebx, 0u);
  EXPECT_EQ(table[2].ecx, 2u);
}

TEST(Cpuid, InnerCachesBelongToACoreOuterOnesToThePackage) {
  const CpuidTable table = normalized(4);
  EXPECT_EQ(bits(find(table, 4, 0).eax, 14, 12), 0u);
  EXPECT_EQ(bits(find(table, 4, 1).eax, 14, 12), 0u);
  EXPECT_EQ(bits(find(table, 4, 2).eax, 14, 12), 3u);
  for (u32 i = 0; i < 3; ++i) EXPECT_EQ(bits(find(table, 4, i).eax, 26, 6), 3u) << "cores";
  EXPECT_EQ(bits(find(table, 4, 2).eax, 0, 8), (3u << 5) | 1) << "type and level stay";
  EXPECT_EQ(bits(find(table, 0x8000001d, 3).eax, 14, 12), 3u);
}

TEST(Cpuid, TheEndOfTheCacheListStaysTheEnd) {
  EXPECT_EQ(find(normalized(4), 4, 3).eax, 0u);
}

void expect_apic_id(const CpuidTable& table, u32 id) {
  EXPECT_EQ(find(table, 1).ebx >> 24, id);
  for (const u32 leaf : {0xbu, 0x1fu}) {
    EXPECT_EQ(find(table, leaf, 0).edx, id);
    EXPECT_EQ(find(table, leaf, 1).edx, id);
  }
  EXPECT_EQ(find(table, 0x8000001e).eax, id);
  EXPECT_EQ(find(table, 0x8000001e).ebx, id);
  EXPECT_EQ(find(table, 0x8000001e).ecx, 0u);
}

TEST(CpuidApicId, StandsWhereverCpuidShowsOne) {
  CpuidTable table = normalized(32);
  set_cpuid_apic_id(table, 31);
  expect_apic_id(table, 31);
}

TEST(CpuidApicId, OneTableServesAllVcpusInTurn) {
  CpuidTable table = normalized(32);
  for (const u32 id : {31u, 0u, 16u, 16u}) {
    const std::size_t size = table.size();
    set_cpuid_apic_id(table, id);
    expect_apic_id(table, id);
    EXPECT_EQ(table.size(), size);
    EXPECT_EQ(bits(find(table, 1).ebx, 16, 8), 32u) << "the package's count stays";
  }
}

TEST(Cpuid, MasksBitsOfTheLeavesThatAreThere) {
  using Register = CpuidMask::Register;
  CpuidTable table = {{.function = 1, .ecx = 0xff},
                      {.function = 7, .index = 0, .has_index = true},
                      {.function = 7, .index = 1, .has_index = true, .eax = 1}};
  const std::vector<CpuidMask> masks = {{1, 0, Register::kEcx, 0x0f, 0x100},
                                        {7, 1, Register::kEax, 1, 2},
                                        {9, 0, Register::kEdx, 0, 1}};
  mask_cpuid(table, masks);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_EQ(table[0].ecx, 0x1f0U);
  EXPECT_EQ(table[1].eax, 0U);
  EXPECT_EQ(table[2].eax, 2U);
}

}  // namespace
}  // namespace mote::arch
