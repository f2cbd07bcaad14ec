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

u64 tsc_ticks_of(u16 count) {
  // The gate open, the speaker off; writing the second byte of the count starts it.
  out8(kControl, kGate2);
  start(2, 0, count);
  const u64 begin = rdtsc();
  // Unclaimed ports read all ones, which must not pass for an output that went high.
  if ((in8(kControl) & kOut2) != 0) return 0;
  while (true) {
    const bool is_high = (in8(kControl) & kOut2) != 0;
    const u64 ticks = rdtsc() - begin;
    if (is_high) return ticks;
    if (ticks > kGiveUpTicks) return 0;
  }
}

}  // namespace kit::pit
