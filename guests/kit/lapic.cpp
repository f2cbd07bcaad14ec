// SPDX-License-Identifier: Apache-2.0
// The local APIC through its memory page (xAPIC). Each vCPU sees its own.
#include "guests/kit/lapic.hpp"

#include "guests/kit/interrupts.hpp"

namespace kit::lapic {
namespace {

constexpr u32 kAssert = 0x4000;
constexpr u32 kAllButSelf = 0xC0000;
constexpr u32 kSendPending = 0x1000;

void issue(u32 high, u32 low) {
  write(Register::kCommandHigh, high);
  write(Register::kCommandLow, low);
  while ((read(Register::kCommandLow) & kSendPending) != 0) pause();
}

void ignore_spurious(Frame&) {}

}  // namespace

void enable() {
  set_interrupt_handler(kSpuriousVector, ignore_spurious);
  write(Register::kTaskPriority, 0);
  write(Register::kSpurious, kSoftwareEnable | kSpuriousVector);
}

void send(u32 apic_id, Delivery delivery, u8 vector) {
  issue(apic_id << 24, kAssert | static_cast<u32>(delivery) | vector);
}

void send_to_others(u8 vector) {
  issue(0, kAllButSelf | kAssert | vector);
}

}  // namespace kit::lapic
