// SPDX-License-Identifier: Apache-2.0
// The 8254 timer: registers, and a calibrated wait on channel 2. First vCPU.
#include "guests/kit/pit.hpp"

#include "guests/kit/cpu.hpp"

namespace kit::pit {
namespace {

constexpr u64 kGiveUpTicks = 100'000'000;

u16 data_port(u8 channel) {
  return static_cast<u16>(kChannel0 + channel);
}

}  // namespace

void start(u8 channel, u8 mode, u16 count) {
  out8(kCommand, command(channel, mode));
  out8(data_port(channel), static_cast<u8>(count));
  out8(data_port(channel), static_cast<u8>(count >> 8));
}

u16 read_count(u8 channel) {
  out8(kCommand, static_cast<u8>(channel << 6 | kLatch));
  const u8 low = in8(data_port(channel));
  return static_cast<u16>(low | in8(data_port(channel)) << 8);
}

u64 measure_tsc_khz() {
  // Mode 0 counts down once; its first and last ticks are left out.
  constexpr u8 kInterruptOnTerminalCount = 0;
  constexpr u16 kTicks = kHz / 200;
  start(0, kInterruptOnTerminalCount, 0xFFFF);
  const u16 first = read_count(0);
  const u64 begin = rdtsc();
  while (true) {
    const u16 count = read_count(0);
    const u64 end = rdtsc();
    const u16 passed = static_cast<u16>(first - count);
    if (passed >= kTicks) return multiply_divide(end - begin, kHz, passed) / 1000;
    if (end - begin > kGiveUpTicks) return 0;
  }
}

}  // namespace kit::pit
