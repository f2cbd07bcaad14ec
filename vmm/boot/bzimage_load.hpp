// SPDX-License-Identifier: Apache-2.0
// Puts a bzImage into guest RAM. Called by the thread that builds the machine.
#pragma once

#include <span>

#include "core/guest_memory.hpp"
#include "core/result.hpp"
#include "vmm/boot/image_source.hpp"
#include "vmm/boot/placed_kernel.hpp"

namespace mote {

/// Loads the protected-mode part at pref_address, by one read. A relocatable kernel might be put
/// elsewhere, but Linux never unpacks itself below pref_address, and RAM is in one piece from 1 MiB
/// on: where pref_address does not fit, nothing fits, and the Error says how much memory would do.
/// `head` holds the first bytes of the file. Errors do not name the file.
Result<PlacedKernel> load_bzimage(const GuestMemory& memory, const ImageSource& source,
                                  std::span<const std::byte> head);

}  // namespace mote
