// SPDX-License-Identifier: Apache-2.0
// pic: interrupts through the pair of 8259 controllers and LINT0, as unikernels take them that
// never program the I/O APIC. PIT ticks that wake a sleeping vCPU, COM1, masks, in-service and
// requests.
#include "guests/kit/pic.hpp"

#include "guests/kit/boot_info.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/pit.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/serial.hpp"
#include "guests/kit/time.hpp"

namespace kit {
namespace {

constexpr u8 kBase = 0x20;
constexpr u8 kTimerLine = 1 << 0;
constexpr u8 kSerialLine = 1 << serial::kIrq;
constexpr u8 kRateGenerator = 2;
constexpr u16 kTickCount = pit::kHz / 1000;
constexpr u32 kTicks = 20;
constexpr u64 kPatienceUs = 1'000'000;
constexpr u64 kQuietUs = 5'000;

volatile u32 ticks;
volatile u32 serial_interrupts;
volatile u8 in_service_seen;
volatile u32 spurious;

void on_tick(Frame&) {
  ticks = ticks + 1;
  in_service_seen = pic::in_service();
  pic::end_of_interrupt();
}

void on_serial(Frame&) {
  serial_interrupts = serial_interrupts + 1;
  in8(serial::kInterruptId);
  out8(serial::kInterruptEnable, 0);
  pic::end_of_interrupt();
}

// IRQ 7 without a bit in service is what the controller says when the reason has gone.
void on_spurious(Frame&) {
  spurious = spurious + 1;
}

template <class Condition>
bool run_until(Condition condition, u64 microseconds) {
  enable_interrupts();
  const bool holds = wait_until(condition, microseconds);
  disable_interrupts();
  return holds;
}

// 20 ticks of 1 ms, asleep between them. A tick that does not come would let the vCPU sleep for
// ever, so the first ones are waited for awake.
void check_ticks(std::string_view name) {
  ticks = 0;
  pic::allow(kTimerLine);
  pit::start(0, kRateGenerator, kTickCount);
  if (!run_until([] { return ticks >= 2; }, kPatienceUs)) {
    expect(name, false, ticks, " ticks, requests ", hex(pic::requests()), ", in service ",
           hex(pic::in_service()), ", count ", pit::read_count(0));
    pic::allow(0);
    return;
  }
  const u32 first = ticks;
  const u64 begin = rdtsc();
  while (ticks < first + kTicks) sleep_until_interrupt();
  const u64 us = tsc_to_ns(rdtsc() - begin) / 1000;
  pic::allow(0);
  expect(name, us >= 15'000 && us < 500'000, us, " us for 20 ticks of 1 ms");
}

}  // namespace

void guest_main(const BootInfo&) {
  set_interrupt_handler(kBase + 0, on_tick);
  set_interrupt_handler(kBase + serial::kIrq, on_serial);
  set_interrupt_handler(kBase + 7, on_spurious);
  tsc_khz();
  pic::initialise(kBase);

  // As the monitor leaves the local APIC: LINT0 open as ExtINT on the first vCPU.
  check_ticks("pic.ticks_untouched_lapic");
  expect_equal("pic.in_service", u8{in_service_seen}, kTimerLine);
  expect_equal("pic.in_service_after_eoi", pic::in_service(), u8{0});

  lapic::enable();
  lapic::write(lapic::Register::kLint0, lapic::kExtInt);
  check_ticks("pic.ticks_lint0");

  // A masked line asks and is not served; open, it is.
  ticks = 0;
  const bool asks = wait_until([] { return (pic::requests() & kTimerLine) != 0; }, kPatienceUs);
  expect("pic.masked_requests", asks && ticks == 0, "requests ", hex(pic::requests()), ", ", ticks,
         " ticks");
  pic::allow(kTimerLine);
  expect("pic.unmasked", run_until([] { return ticks > 0; }, kPatienceUs), "no tick");
  pic::allow(0);

  lapic::write(lapic::Register::kLint0, lapic::kExtInt | lapic::kMasked);
  pic::allow(kTimerLine);
  ticks = 0;
  run_until([] { return ticks > 0; }, kQuietUs);
  expect("pic.lint0_masked", ticks == 0, ticks, " ticks");
  pic::allow(0);
  lapic::write(lapic::Register::kLint0, lapic::kExtInt);

  out8(serial::kModemControl, serial::kModemDtrRtsOut2);
  pic::allow(kSerialLine);
  out8(serial::kInterruptEnable, serial::kEnableTransmitterEmpty);
  const bool came = run_until([] { return serial_interrupts > 0; }, kPatienceUs);
  pic::allow(0);
  out8(serial::kInterruptEnable, 0);
  expect("pic.serial", came && serial_interrupts == 1, serial_interrupts, " interrupts");

  out8(pic::kSlaveEdgeLevel, 0x0E);
  expect_equal("pic.edge_level", in8(pic::kSlaveEdgeLevel), u8{0x0E});
  out8(pic::kSlaveEdgeLevel, 0);
  expect("pic.spurious", spurious == 0, spurious, " spurious interrupts");
  done();
}

}  // namespace kit
