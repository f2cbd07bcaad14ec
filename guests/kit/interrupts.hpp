// SPDX-License-Identifier: Apache-2.0
// Interrupts and exceptions: one table of handlers for all vCPUs. What has no handler is reported
// on the serial port and ends the guest by a triple fault, so that no test mistakes it for success.
#pragma once

#include "guests/kit/types.hpp"

namespace kit {

/// What the entry stub leaves on the stack, lowest address first. A handler may change it.
struct Frame {
  u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  u64 vector, error;
  u64 rip, cs, rflags, rsp, ss;
};

using InterruptHandler = void (*)(Frame& frame);

/// Makes `handler` answer `vector` on every vCPU; it runs with interrupts off.
void set_interrupt_handler(u8 vector, InterruptHandler handler);

/// The same by an own entry stub, which gets what the processor pushes and ends by IRETQ.
void set_interrupt_gate(u8 vector, void (*stub)());

}  // namespace kit
