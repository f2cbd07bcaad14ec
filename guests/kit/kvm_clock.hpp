// SPDX-License-Identifier: Apache-2.0
// kvm-clock: the page in which KVM tells how TSC ticks become nanoseconds. Any vCPU.
#pragma once

#include "guests/kit/types.hpp"

namespace kit::kvm_clock {

inline constexpr u32 kSystemTimeMsr = 0x4B564D01;

/// [kernel Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW]
struct Page {
  u32 version;  // odd while KVM writes
  u32 padding;
  u64 tsc_timestamp;
  u64 system_time;  // ns at tsc_timestamp
  u32 tsc_to_system_mul;
  std::int8_t tsc_shift;
  u8 flags;
  u8 padding2[2];
};
static_assert(sizeof(Page) == 32);

/// Turns the clock on for this vCPU; nullptr when the CPUID does not offer it.
const volatile Page* enable();

/// Nanoseconds now, from a consistent snapshot of the page.
u64 now_ns(const volatile Page& page);

/// TSC frequency in kHz that the page implies; 0 before KVM has filled it.
u64 tsc_khz(const volatile Page& page);

}  // namespace kit::kvm_clock
