// SPDX-License-Identifier: Apache-2.0
// The I/O APIC at 0xFEC00000. One vCPU at a time.
#pragma once

#include "guests/kit/cpu.hpp"
#include "guests/kit/types.hpp"

namespace kit::ioapic {

inline constexpr u64 kBase = 0xFEC00000;
inline constexpr u64 kSelect = kBase + 0x00;
inline constexpr u64 kWindow = kBase + 0x10;

// Registers [82093AA 3.2].
inline constexpr u32 kId = 0x00;
inline constexpr u32 kVersion = 0x01;
inline constexpr u32 kArbitration = 0x02;
inline constexpr u32 kEntries = 0x10;

// Low half of a redirection entry.
inline constexpr u32 kDeliveryStatus = 1 << 12;
inline constexpr u32 kRemoteIrr = 1 << 14;
inline constexpr u32 kLevel = 1 << 15;
inline constexpr u32 kMasked = 1 << 16;

inline u32 read(u32 reg) {
  mmio_write<u32>(kSelect, reg);
  return mmio_read<u32>(kWindow);
}
inline void write(u32 reg, u32 value) {
  mmio_write<u32>(kSelect, reg);
  mmio_write<u32>(kWindow, value);
}

inline u32 entry(u32 pin) {
  return read(kEntries + 2 * pin);
}
inline void set_entry(u32 pin, u32 low) {
  write(kEntries + 2 * pin, low);
}

/// Directs a pin to a vCPU by its APIC id: masked first, so that no half-written entry is live.
inline void route(u32 pin, u32 low, u32 apic_id) {
  set_entry(pin, kMasked);
  write(kEntries + 2 * pin + 1, apic_id << 24);
  set_entry(pin, low);
}

}  // namespace kit::ioapic
