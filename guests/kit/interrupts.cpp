// SPDX-License-Identifier: Apache-2.0
// Dispatch of interrupts to their handlers, and the report of those nobody expected. Any vCPU.
#include "guests/kit/interrupts.hpp"

#include "guests/kit/power.hpp"
#include "guests/kit/print.hpp"

// A gate of the IDT [SDM 3A 6.14.1].
struct Gate {
  std::uint16_t offset_low;
  std::uint16_t selector;
  std::uint16_t attributes;
  std::uint16_t offset_middle;
  std::uint32_t offset_high;
  std::uint32_t reserved;
};
extern "C" Gate idt[256];

namespace kit {
namespace {

constexpr u64 kFirstInterrupt = 32;

InterruptHandler handlers[256];

[[noreturn]] void report(const Frame& frame) {
  u64 cr2;
  asm volatile("mov %%cr2, %0" : "=r"(cr2));
  print(frame.vector < kFirstInterrupt ? "EXCEPTION" : "UNEXPECTED INTERRUPT", " vector ",
        frame.vector, " error ", hex(frame.error), " rip ", hex(frame.rip), " cs ", hex(frame.cs),
        " rsp ", hex(frame.rsp), " cr2 ", hex(cr2), '\n');
  triple_fault();
}

extern "C" void kit_interrupt(Frame* frame) {
  const InterruptHandler handler = handlers[frame->vector & 0xFF];
  if (handler == nullptr) report(*frame);
  handler(*frame);
}

}  // namespace

void set_interrupt_handler(u8 vector, InterruptHandler handler) {
  handlers[vector] = handler;
}

void set_interrupt_gate(u8 vector, void (*stub)()) {
  const auto address = reinterpret_cast<u64>(stub);
  Gate& gate = idt[vector];
  gate.offset_low = static_cast<u16>(address);
  gate.offset_middle = static_cast<u16>(address >> 16);
  gate.offset_high = static_cast<u32>(address >> 32);
}

}  // namespace kit
