// SPDX-License-Identifier: Apache-2.0
// COM1, a 16550A, polled. One vCPU at a time; in practice the first.
#pragma once

#include <string_view>

#include "guests/kit/types.hpp"

namespace kit::serial {

// Register offsets and bits [16550D data sheet, 8].
inline constexpr u16 kBase = 0x3F8;
inline constexpr u16 kData = kBase + 0;
inline constexpr u16 kInterruptEnable = kBase + 1;
inline constexpr u16 kInterruptId = kBase + 2;  // read
inline constexpr u16 kFifoControl = kBase + 2;  // write
inline constexpr u16 kModemControl = kBase + 4;
inline constexpr u16 kLineStatus = kBase + 5;
inline constexpr u16 kScratch = kBase + 7;

inline constexpr u8 kEnableReceived = 0x01;
inline constexpr u8 kEnableTransmitterEmpty = 0x02;
inline constexpr u8 kNoInterrupt = 0x01;
inline constexpr u8 kIdMask = 0x0F;
inline constexpr u8 kIdTransmitterEmpty = 0x02;
inline constexpr u8 kIdReceived = 0x04;
inline constexpr u8 kIdReceiveTimeout = 0x0C;
inline constexpr u8 kFifoEnable = 0x01;
inline constexpr u8 kModemDtrRtsOut2 = 0x0B;
inline constexpr u8 kDataReady = 0x01;
inline constexpr u8 kTransmitterEmpty = 0x20;

inline constexpr u32 kIrq = 4;
inline constexpr std::size_t kFifoSize = 16;

/// Writes all of `text`, waiting for the transmitter before each FIFO of 16 bytes. Line settings
/// are what the monitor set; the first call only turns the FIFO on.
void write(std::string_view text);

/// Takes a received byte into `byte`; false when there is none.
bool read(u8& byte);

}  // namespace kit::serial
