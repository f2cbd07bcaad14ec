// SPDX-License-Identifier: Apache-2.0
// Memory behind the image: for rings and buffers of a size that the command line decides. First
// vCPU. Nothing is given back.
#pragma once

#include "guests/kit/types.hpp"

namespace kit {

/// Takes `size` bytes at a multiple of `alignment`, which is a power of two, from the RAM behind
/// the image; nullptr when the range of RAM that holds the image has no room. Not cleared.
void* take_memory(u64 size, u64 alignment);

/// The end of the range of RAM that holds the image: the first address behind it.
u64 end_of_ram();

}  // namespace kit
