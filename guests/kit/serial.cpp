// SPDX-License-Identifier: Apache-2.0
// COM1, a 16550A, polled. One vCPU at a time; in practice the first.
#include "guests/kit/serial.hpp"

#include "guests/kit/cpu.hpp"

namespace kit::serial {
namespace {

bool fifo_is_on = false;

// One string instruction for a FIFO of bytes: at best one exit for all of them.
void burst(const char* bytes, std::size_t count) {
  asm volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(kData) : "memory");
}

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
    const std::size_t count = left < kFifoSize ? left : kFifoSize;
    burst(next, count);
    next += count;
    left -= count;
  }
}

bool read(u8& byte) {
  if ((in8(kLineStatus) & kDataReady) == 0) return false;
  byte = in8(kData);
  return true;
}

}  // namespace kit::serial
