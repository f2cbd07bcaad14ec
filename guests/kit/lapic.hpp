// SPDX-License-Identifier: Apache-2.0
// The local APIC through its memory page (xAPIC). Each vCPU sees its own.
#pragma once

#include "guests/kit/cpu.hpp"
#include "guests/kit/types.hpp"

namespace kit::lapic {

inline constexpr u64 kBase = 0xFEE00000;

/// Register offsets [SDM 3A table 11-1].
enum class Register : u32 {
  kId = 0x020,
  kVersion = 0x030,
  kTaskPriority = 0x080,
  kEoi = 0x0B0,
  kSpurious = 0x0F0,
  kInService = 0x100,  // eight of them, 0x10 apart
  kRequested = 0x200,  // the same
  kCommandLow = 0x300,
  kCommandHigh = 0x310,
  kTimer = 0x320,
  kLint0 = 0x350,
  kLint1 = 0x360,
  kTimerInitialCount = 0x380,
  kTimerCurrentCount = 0x390,
  kTimerDivide = 0x3E0,
};

inline constexpr u32 kSoftwareEnable = 0x100;  // in kSpurious
inline constexpr u32 kMasked = 0x10000;        // in each local vector table entry
inline constexpr u32 kExtInt = 0x700;
inline constexpr u32 kTimerPeriodic = 0x20000;
inline constexpr u32 kTimerTscDeadline = 0x40000;
inline constexpr u32 kDivideBy16 = 0x3;

inline constexpr u8 kSpuriousVector = 0xFF;

inline u32 read(Register reg) {
  return mmio_read<u32>(kBase + static_cast<u32>(reg));
}
inline void write(Register reg, u32 value) {
  mmio_write<u32>(kBase + static_cast<u32>(reg), value);
}

/// Software-enables this vCPU's local APIC and accepts all priorities.
void enable();
inline u32 id() {
  return read(Register::kId) >> 24;
}
inline void end_of_interrupt() {
  write(Register::kEoi, 0);
}

enum class Delivery : u32 { kFixed = 0x000, kNmi = 0x400, kInit = 0x500, kStartup = 0x600 };
/// Sends an interrupt to the vCPU with this APIC id; the vector of kStartup is a page number.
void send(u32 apic_id, Delivery delivery, u8 vector);
/// Sends a fixed interrupt to all vCPUs but this one.
void send_to_others(u8 vector);

}  // namespace kit::lapic
