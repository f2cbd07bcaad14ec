// SPDX-License-Identifier: Apache-2.0
// An io_uring as the event loop wants it: with the flags that the kernel has, and unable to do
// more than the loop offers.
#pragma once

#include <liburing.h>

#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// IORING_OP_READ_MULTISHOT, which liburing 2.3 has no name for.
inline constexpr u8 kReadMultishot = 49;

/// Makes the ring, disabled, with room for `completions` (a power of two) of them. What of its
/// flags this kernel has is tried, not guessed from a version. `ring.ring_fd` is -1 after an Error,
/// which names the remedy where the host switched io_uring off.
Result<void> make_ring(io_uring& ring, u32 completions);

/// Whether the kernel knows an opcode.
bool ring_supports(io_uring& ring, int opcode);

/// What a ring is used for besides what every ring is.
struct RingUse {
  bool provided_buffers = false;  ///< multishot reads into a BufferRing
  bool pinned_memory = false;     ///< reads and writes of registered memory
};

/// From here on the ring can do what it is used for and nothing else: seccomp does not see what a
/// ring is asked for. Buffers and memory are registered before, and no more can be. Precondition:
/// it is not enabled.
Result<void> restrict_ring(io_uring& ring, const RingUse& use);

}  // namespace mote
