// SPDX-License-Identifier: Apache-2.0
// Dispatch of interrupts to their handlers, and the report of those nobody expected. Any vCPU.
#include "guests/kit/interrupts.hpp"

#include "guests/kit/power.hpp"
#include "guests/kit/print.hpp"

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

}  // namespace kit
