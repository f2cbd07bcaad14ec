// SPDX-License-Identifier: Apache-2.0
// The frequency of the TSC, by the first source that knows it. First vCPU.
#include "guests/kit/time.hpp"

#include "guests/kit/boot_info.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/kvm_clock.hpp"
#include "guests/kit/pit.hpp"

namespace kit {
namespace {

constexpr u32 kHypervisorLeaf = 0x40000000;
constexpr u32 kHypervisorPresent = u32{1} << 31;  // leaf 1, ecx
constexpr u32 kTimingLeaf = 0x40000010;           // eax: TSC kHz

// Where nothing tells, time bounds are still wanted: wrong by a small factor, but bounds.
constexpr u64 kGuessKhz = 2'500'000;

u64 khz = 0;

u64 find_khz() {
  if (const u64 told = find_number(boot_info().command_line, "tsc_khz", 0); told != 0) return told;
  if ((cpuid(1).ecx & kHypervisorPresent) != 0) {
    const u32 last = cpuid(kHypervisorLeaf).eax;
    if (last >= kTimingLeaf && last <= kHypervisorLeaf + 0xFFFF) {
      if (const u32 told = cpuid(kTimingLeaf).eax; told != 0) return told;
    }
    if (const volatile kvm_clock::Page* page = kvm_clock::enable(); page != nullptr) {
      if (const u64 implied = kvm_clock::tsc_khz(*page); implied != 0) return implied;
    }
  }
  if (const u64 measured = pit::measure_tsc_khz(); measured != 0) return measured;
  return kGuessKhz;
}

}  // namespace

u64 tsc_khz() {
  if (khz == 0) khz = find_khz();
  return khz;
}

u64 tsc_to_ns(u64 ticks) {
  return multiply_divide(ticks, 1'000'000, tsc_khz());
}

}  // namespace kit
