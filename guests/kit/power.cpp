// SPDX-License-Identifier: Apache-2.0
// The ways out of a guest. Any vCPU.
#include "guests/kit/power.hpp"

#include "guests/kit/cpu.hpp"

namespace kit {
namespace {

// SLP_EN and SLP_TYP 5 in the sleep control register [ACPI-6.5 4.8.3.7].
constexpr u8 kSleepS5 = 0x20 | (5 << 2);
constexpr u16 kSleepControlPort = 0x600;
constexpr u16 kResetPort = 0x602;
constexpr u8 kResetValue = 1;
// The generic event device of QEMU's microvm: sleep control and reset register.
constexpr u64 kMicrovmSleepControl = 0xFEA00200;
constexpr u64 kMicrovmReset = 0xFEA00202;
constexpr u8 kMicrovmResetValue = 0x42;
constexpr u16 kKeyboardCommandPort = 0x64;
constexpr u8 kPulseReset = 0xFE;

// No table maps this address.
constexpr u64 kUnmapped = u64{1} << 40;

}  // namespace

void power_off() {
  out8(kSleepControlPort, kSleepS5);
  mmio_write<u8>(kMicrovmSleepControl, kSleepS5);
  linger();
  triple_fault();
}

void reset() {
  out8(kResetPort, kResetValue);
  mmio_write<u8>(kMicrovmReset, kMicrovmResetValue);
  out8(kKeyboardCommandPort, kPulseReset);
  linger();
  triple_fault();
}

void linger() {
  constexpr u64 kTicks = 50'000'000;
  const u64 begin = rdtsc();
  while (rdtsc() - begin < kTicks) pause();
}

void triple_fault() {
  // A page fault rather than INT3 or UD2, which instruction emulators of software KVM do not know.
  struct [[gnu::packed]] {
    u16 limit = 0;
    u64 base = 0;
  } empty;
  asm volatile("lidt %0; movb (%1), %%al" : : "m"(empty), "r"(kUnmapped) : "al", "memory");
  halt_forever();
}

}  // namespace kit
