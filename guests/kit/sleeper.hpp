// SPDX-License-Identifier: Apache-2.0
// Sleep in ring 3 until one device interrupts, and never for ever: the local APIC's timer wakes as
// well, and such wake-ups are counted. First vCPU.
#pragma once

#include "guests/kit/types.hpp"

namespace kit::sleeper {

/// Routes the pin of the virtio device whose registers are at `registers` to this vCPU, edge
/// triggered, and starts the timer: some 100 ms or more. Ring 0; interrupts are off until the
/// caller enables them.
void prepare(u64 registers, u32 irq);

/// Wake-ups by the timer so far.
u64 timer_interrupts();

}  // namespace kit::sleeper
