// SPDX-License-Identifier: Apache-2.0
// The 8254 timer: registers, and a calibrated wait on channel 2. First vCPU.
#pragma once

#include "guests/kit/types.hpp"

namespace kit::pit {

inline constexpr u64 kHz = 1'193'182;

inline constexpr u16 kChannel0 = 0x40;
inline constexpr u16 kChannel2 = 0x42;
inline constexpr u16 kCommand = 0x43;
inline constexpr u16 kControl = 0x61;  // system control port B

// Command byte: channel << 6 | access << 4 | mode << 1 [8254 data sheet].
inline constexpr u8 kLatch = 0x00;
inline constexpr u8 kLowThenHigh = 0x30;
inline constexpr u8 kReadBack = 0xC0;

// Port 61h.
inline constexpr u8 kGate2 = 0x01;
inline constexpr u8 kSpeaker = 0x02;
inline constexpr u8 kOut2 = 0x20;

constexpr u8 command(u8 channel, u8 mode) {
  return static_cast<u8>(channel << 6 | kLowThenHigh | mode << 1);
}

/// Programs mode and count of a channel (0 means 65536).
void start(u8 channel, u8 mode, u16 count);

/// Latches and reads a channel's counter.
u16 read_count(u8 channel);

/// TSC frequency in kHz by some milliseconds of channel 0, whose IRQ has to be masked; 0 when its
/// counter does not move: no PIT there.
u64 measure_tsc_khz();

}  // namespace kit::pit
