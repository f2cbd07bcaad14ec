// SPDX-License-Identifier: Apache-2.0
// Sleep in ring 3 until a virtio device interrupts, with as few instructions in ring 0 as that
// takes: where KVM emulates that ring, each costs half a microsecond or more. First vCPU.
#pragma once

#include "guests/kit/types.hpp"

namespace kit::doze {

/// For devices whose interrupts need no acknowledgement: MSI-X.
inline constexpr u64 kNothing = 0;

/// Interrupts on `vector` acknowledge the virtio-mmio device whose registers are at `registers`, or
/// kNothing; HLT of ring 3 sleeps. Who sends the vector is the caller's business. Ring 0.
void prepare(u64 registers, u8 vector);

/// Sleeps until an interrupt that wake_up() or the device caused; comes back at once when one came
/// since the last call. Ring 3, interrupts on.
inline void sleep() {
  asm volatile("hlt" : : : "memory");
}

/// For handlers of other interrupts: ends the sleep.
void wake_up();

/// Interrupts of the device so far.
u64 interrupts();

}  // namespace kit::doze
