// SPDX-License-Identifier: Apache-2.0
// pit: the 8254: counting modes of channels 0 and 2, latch and read-back commands, port 61h, all
// polled, and its rate against the TSC.
#include "guests/kit/pit.hpp"

#include "guests/kit/boot_info.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"

namespace kit {
namespace {

constexpr u8 kTerminalCount = 0;
constexpr u8 kRateGenerator = 2;
constexpr u8 kSquareWave = 3;
constexpr u64 kPatienceUs = 300'000;

// Read-back command: latch status only, of one channel.
constexpr u8 kStatusOnly = 0xE0;
constexpr u8 kCountOnly = 0xD0;
constexpr u8 kOutput = 0x80;
constexpr u8 kModeMask = 0x3F;

u8 status(u8 channel) {
  out8(pit::kCommand, static_cast<u8>(kStatusOnly | 2 << channel));
  return in8(static_cast<u16>(pit::kChannel0 + channel));
}

void check_periodic(std::string_view name, u8 mode) {
  constexpr u16 kCount = 2000;
  pit::start(0, mode, kCount);
  u16 largest = 0;
  bool wraps = false;
  u16 last = pit::read_count(0);
  const bool moved = wait_until(
      [&] {
        const u16 count = pit::read_count(0);
        if (count > largest) largest = count;
        if (count > last) wraps = true;
        last = count;
        return wraps;
      },
      kPatienceUs);
  expect(name, moved && largest <= kCount, "largest count ", largest, wraps ? "" : ", no wrap");
}

void check_one_shot() {
  constexpr u16 kCount = 6000;  // 5 ms
  pit::start(0, kTerminalCount, kCount);
  const u8 early = status(0);
  expect("pit.status_mode", (early & kModeMask) == (pit::kLowThenHigh | kTerminalCount << 1),
         hex(early));
  const bool was_low = (early & kOutput) == 0;
  const bool went_high = wait_until([] { return (status(0) & kOutput) != 0; }, kPatienceUs);
  expect("pit.terminal_count", was_low && went_high, was_low ? "low" : "high", " at first, then ",
         went_high ? "high" : "low");
}

void check_latch() {
  pit::start(0, kRateGenerator, 0);
  // A latched count stays until it is read, however late.
  out8(pit::kCommand, pit::kLatch);
  const u8 low = in8(pit::kChannel0);
  const Deadline later(2'000);
  while (!later.has_passed()) pause();
  const u16 latched = static_cast<u16>(low | in8(pit::kChannel0) << 8);
  const u16 now = pit::read_count(0);
  const u16 distance = static_cast<u16>(latched - now);
  expect("pit.latch", distance >= 2'000 && distance < 60'000, "latched ", latched, ", now ", now);

  out8(pit::kCommand, static_cast<u8>(kCountOnly | 2));
  const u8 read_back_low = in8(pit::kChannel0);
  const u16 read_back = static_cast<u16>(read_back_low | in8(pit::kChannel0) << 8);
  expect("pit.read_back", static_cast<u16>(now - read_back) < 30'000, "read back ", read_back,
         " after ", now);
}

// How kernels calibrate: channel 2 in mode 0, gate and output through port 61h.
void check_calibration() {
  if (!expect("pit.port_61h", in8(pit::kControl) != 0xFF, "reads all ones")) return;
  constexpr u16 kCount = pit::kHz / 100;
  out8(pit::kControl, 0);
  pit::start(2, kTerminalCount, kCount);
  const u16 before = pit::read_count(2);
  const Deadline pause_end(1'000);
  while (!pause_end.has_passed()) pause();
  const u16 after = pit::read_count(2);
  expect("pit.gate_closed", before == after, before, " counts on to ", after);

  out8(pit::kControl, pit::kGate2);
  pit::start(2, kTerminalCount, kCount);
  const u64 begin = rdtsc();
  const bool was_low = (in8(pit::kControl) & pit::kOut2) == 0;
  const bool is_high =
      wait_until([] { return (in8(pit::kControl) & pit::kOut2) != 0; }, kPatienceUs);
  const u64 us = tsc_to_ns(rdtsc() - begin) / 1000;
  // A busy host may take the vCPU away, so only the lower bound is narrow.
  expect("pit.calibrate", was_low && is_high && us >= 9'500 && us < 100'000, us,
         " us for 10 ms, output ", was_low ? "low" : "high", " then ", is_high ? "high" : "low");
  expect("pit.gate_reads_back", (in8(pit::kControl) & (pit::kGate2 | pit::kSpeaker)) == pit::kGate2,
         hex(in8(pit::kControl)));
  // Bit 4 changes with each refresh, or each read; old kernels wait for it.
  const u8 first = in8(pit::kControl);
  expect("pit.refresh_toggles",
         wait_until([first] { return ((in8(pit::kControl) ^ first) & 0x10) != 0; }, kPatienceUs),
         "bit 4 of port 61h stands still");
}

}  // namespace

void guest_main(const BootInfo&) {
  tsc_khz();
  check_periodic("pit.rate_generator", kRateGenerator);
  check_periodic("pit.square_wave", kSquareWave);
  check_one_shot();
  check_latch();
  check_calibration();
  // Quiet again: a one-shot that ends once.
  pit::start(0, kTerminalCount, 1);
  done();
}

}  // namespace kit
