// SPDX-License-Identifier: Apache-2.0
// kvm-clock: the page in which KVM tells how TSC ticks become nanoseconds. Any vCPU.
#include "guests/kit/kvm_clock.hpp"

#include "guests/kit/cpu.hpp"

namespace kit::kvm_clock {
namespace {

constexpr u32 kSignatureLeaf = 0x40000000;
constexpr u32 kSignatureEbx = 0x4B4D564B;  // "KVMK"
constexpr u32 kFeatureClockSource2 = 1 << 3;
constexpr u64 kEnable = 1;

alignas(64) Page page;

u64 scale(u64 ticks, u32 multiplier, int shift) {
  ticks = shift < 0 ? ticks >> -shift : ticks << shift;
  return multiply_divide(ticks, multiplier, u64{1} << 32);
}

}  // namespace

const volatile Page* enable() {
  if (cpuid(kSignatureLeaf).ebx != kSignatureEbx) return nullptr;
  if ((cpuid(kSignatureLeaf + 1).eax & kFeatureClockSource2) == 0) return nullptr;
  wrmsr(kSystemTimeMsr, reinterpret_cast<u64>(&page) | kEnable);
  return &page;
}

u64 now_ns(const volatile Page& clock) {
  // The version is odd while KVM writes; it writes between two instructions of this vCPU, never
  // beside them, so that the second try always holds.
  u64 ns = 0;
  u32 version = 0;
  do {
    version = clock.version & ~1U;
    ns = clock.system_time +
         scale(rdtsc() - clock.tsc_timestamp, clock.tsc_to_system_mul, clock.tsc_shift);
  } while (clock.version != version);
  return ns;
}

u64 tsc_khz(const volatile Page& clock) {
  const u32 multiplier = clock.tsc_to_system_mul;
  if (multiplier == 0) return 0;
  const u64 khz = (u64{1'000'000} << 32) / multiplier;
  const int shift = clock.tsc_shift;
  return shift < 0 ? khz << -shift : khz >> shift;
}

}  // namespace kit::kvm_clock
