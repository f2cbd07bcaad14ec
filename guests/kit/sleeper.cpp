// SPDX-License-Identifier: Apache-2.0
// Sleep in ring 3 until one device interrupts, and never for ever. First vCPU.
#include "guests/kit/sleeper.hpp"

#include "guests/kit/doze.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/lapic.hpp"

namespace kit::sleeper {
namespace {

constexpr u8 kDeviceVector = 0x50;
constexpr u8 kTimerVector = 0x51;
constexpr u32 kTimerTicks = 20'000'000;  // of the local APIC by 16: some 100 ms or more

volatile u64 timer_count = 0;

void on_timer(Frame&) {
  timer_count = timer_count + 1;
  doze::wake_up();
  lapic::end_of_interrupt();
}

}  // namespace

void prepare(const virtio::Transport& device) {
  lapic::enable();
  doze::prepare(device.is_pci() ? doze::kNothing : device.base(), kDeviceVector);
  set_interrupt_handler(kTimerVector, on_timer);
  device.route(kDeviceVector, lapic::id());
  lapic::write(lapic::Register::kTimerDivide, lapic::kDivideBy16);
  lapic::write(lapic::Register::kTimer, lapic::kTimerPeriodic | kTimerVector);
  lapic::write(lapic::Register::kTimerInitialCount, kTimerTicks);
}

u64 timer_interrupts() {
  return timer_count;
}

}  // namespace kit::sleeper
