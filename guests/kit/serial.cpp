// SPDX-License-Identifier: Apache-2.0
// COM1, a 16550A, polled. One vCPU at a time; in practice the first.
#include "guests/kit/serial.hpp"

#include "guests/kit/cpu.hpp"

namespace kit::serial {
namespace {

bool fifo_is_on = false;

}  // namespace

void write(std::string_view text) {
  if (!fifo_is_on) {
    fifo_is_on = true;
    out8(kFifoControl, kFifoEnable);
  }
  const char* next = text.data();
  std::size_t left = text.size();
  while (left > 0) {
    while ((in8(kLineStatus) & kTransmitterEmpty) == 0) pause();
    // WHY not REP OUTSB: KVM emulates string output, one exit for each byte all the same.
    for (std::size_t room = kFifoSize; room > 0 && left > 0; room--, left--) {
      out8(kData, static_cast<u8>(*next++));
    }
  }
}

bool read(u8& byte) {
  if ((in8(kLineStatus) & kDataReady) == 0) return false;
  byte = in8(kData);
  return true;
}

}  // namespace kit::serial
