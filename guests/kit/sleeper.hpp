// SPDX-License-Identifier: Apache-2.0
// Sleep in ring 3 until one device interrupts, and never for ever: the local APIC's timer wakes as
// well, and such wake-ups are counted. First vCPU.
#pragma once

#include "guests/kit/types.hpp"
#include "guests/kit/virtio_transport.hpp"

namespace kit::sleeper {

/// Has the virtio device interrupt this vCPU, edge triggered, and starts the timer: some 100 ms or
/// more. Ring 0; interrupts are off until the caller enables them.
void prepare(const virtio::Transport& device);

/// Wake-ups by the timer so far.
u64 timer_interrupts();

}  // namespace kit::sleeper
