// SPDX-License-Identifier: Apache-2.0
// The pair of 8259 interrupt controllers. First vCPU.
#pragma once

#include "guests/kit/cpu.hpp"
#include "guests/kit/types.hpp"

namespace kit::pic {

inline constexpr u16 kMasterCommand = 0x20;
inline constexpr u16 kMasterData = 0x21;
inline constexpr u16 kSlaveCommand = 0xA0;
inline constexpr u16 kSlaveData = 0xA1;
inline constexpr u16 kMasterEdgeLevel = 0x4D0;
inline constexpr u16 kSlaveEdgeLevel = 0x4D1;

inline constexpr u8 kReadRequests = 0x0A;   // OCW3
inline constexpr u8 kReadInService = 0x0B;  // OCW3
inline constexpr u8 kEndOfInterrupt = 0x20;

/// Initialises both, IRQ 0 on vector `base`, every line masked [8259A data sheet, ICW1 to ICW4].
inline void initialise(u8 base) {
  out8(kMasterCommand, 0x11);
  out8(kMasterData, base);
  out8(kMasterData, 1 << 2);
  out8(kMasterData, 0x01);
  out8(kSlaveCommand, 0x11);
  out8(kSlaveData, static_cast<u8>(base + 8));
  out8(kSlaveData, 2);
  out8(kSlaveData, 0x01);
  out8(kMasterData, 0xFF);
  out8(kSlaveData, 0xFF);
}

/// Opens the master's lines whose bits are set and closes all others.
inline void allow(u8 lines) {
  out8(kMasterData, static_cast<u8>(~lines));
}

inline u8 requests() {
  out8(kMasterCommand, kReadRequests);
  return in8(kMasterCommand);
}
inline u8 in_service() {
  out8(kMasterCommand, kReadInService);
  return in8(kMasterCommand);
}
inline void end_of_interrupt() {
  out8(kMasterCommand, kEndOfInterrupt);
}

}  // namespace kit::pic
