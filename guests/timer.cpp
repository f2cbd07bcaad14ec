// SPDX-License-Identifier: Apache-2.0
// timer: the local APIC's timer once, again and again, and by TSC deadline, and kvm-clock. Lower
// bounds are narrow, upper ones wide: a busy host is late, never early.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/kvm_clock.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/serial.hpp"
#include "guests/kit/time.hpp"

namespace kit {
namespace {

constexpr u8 kVector = 0x40;
constexpr u32 kTscDeadlineMsr = 0x6E0;
constexpr u32 kHasTscDeadline = 1 << 24;  // CPUID leaf 1, ecx
constexpr u64 kPatienceUs = 2'000'000;

volatile u32 fired;
volatile u64 fired_at;

void on_timer(Frame&) {
  fired_at = rdtsc();
  fired = fired + 1;
  lapic::end_of_interrupt();
}

// Starts to count when nothing is pending any more. WHY the port: software KVM looks for interrupts
// now and then only while it emulates; an exit makes it look.
void begin() {
  enable_interrupts();
  for (u32 i = 0; i < 3; i++) in8(serial::kLineStatus);
  disable_interrupts();
  fired = 0;
}

bool wait_for(u32 count) {
  enable_interrupts();
  const bool is_done = wait_until([count] { return fired >= count; }, kPatienceUs);
  disable_interrupts();
  return is_done;
}

void check_countdown() {
  constexpr u32 kCount = 100'000;
  begin();
  lapic::write(lapic::Register::kTimerDivide, lapic::kDivideBy16);
  lapic::write(lapic::Register::kTimer, kVector);
  lapic::write(lapic::Register::kTimerInitialCount, kCount);
  const u32 first = lapic::read(lapic::Register::kTimerCurrentCount);
  const u32 second = lapic::read(lapic::Register::kTimerCurrentCount);
  expect("timer.counts_down", first <= kCount && second < first, first, " then ", second);
  expect("timer.one_shot", wait_for(1), "no interrupt");
  expect_equal("timer.one_shot_ends", lapic::read(lapic::Register::kTimerCurrentCount), 0U);

  begin();
  lapic::write(lapic::Register::kTimer, lapic::kTimerPeriodic | kVector);
  lapic::write(lapic::Register::kTimerInitialCount, kCount);
  expect("timer.periodic", wait_for(5), fired, " interrupts");
  lapic::write(lapic::Register::kTimerInitialCount, 0);
}

void check_deadline() {
  if ((cpuid(1).ecx & kHasTscDeadline) == 0) {
    return skip("timer.tsc_deadline", "CPUID does not offer it");
  }
  lapic::write(lapic::Register::kTimer, lapic::kTimerTscDeadline | kVector);
  // Kernels fence here, since the MSR is not serialising; a read of the register does the same.
  lapic::read(lapic::Register::kTimer);
  begin();
  const u64 deadline = rdtsc() + tsc_khz() * 2;
  wrmsr(kTscDeadlineMsr, deadline);
  const bool came = wait_for(1);
  expect("timer.tsc_deadline", came && fired_at >= deadline, came ? "early by " : "not after ",
         deadline - fired_at, " ticks");

  begin();
  wrmsr(kTscDeadlineMsr, rdtsc() + tsc_khz());
  while (fired == 0) sleep_until_interrupt();
  expect("timer.wakes", fired == 1, fired, " interrupts");
}

void check_kvm_clock() {
  const volatile kvm_clock::Page* page = kvm_clock::enable();
  if (page == nullptr) return skip("timer.kvm_clock", "CPUID does not offer it");
  expect("timer.kvm_clock_scale", kvm_clock::tsc_khz(*page) != 0, "the page is empty");
  const u64 tsc_begin = rdtsc();
  const u64 begin = kvm_clock::now_ns(*page);
  wait_until([] { return false; }, 10'000);
  const u64 clock_ns = kvm_clock::now_ns(*page) - begin;
  const u64 tsc_ns = tsc_to_ns(rdtsc() - tsc_begin);
  expect("timer.kvm_clock", clock_ns >= 9'900'000 && clock_ns <= tsc_ns + 100'000, clock_ns,
         " ns while the TSC counted ", tsc_ns);
}

}  // namespace

void guest_main(const BootInfo&) {
  print("tsc ", tsc_khz(), " kHz\n");
  lapic::enable();
  set_interrupt_handler(kVector, on_timer);
  check_countdown();
  check_deadline();
  check_kvm_clock();
  done();
}

}  // namespace kit
