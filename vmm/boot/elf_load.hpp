// SPDX-License-Identifier: Apache-2.0
// Puts an ELF kernel into guest RAM. Called by the thread that builds the machine.
#pragma once

#include <span>

#include "core/guest_memory.hpp"
#include "core/result.hpp"
#include "vmm/boot/image_source.hpp"
#include "vmm/boot/placed_kernel.hpp"

namespace mote {

/// Loads every PT_LOAD segment at its p_paddr, one read each, once all of them and the entry point
/// have been found to be in order. The PVH note decides the protocol: 64-bit Linux without one.
/// `head` holds the first bytes of the file. Errors do not name the file.
Result<PlacedKernel> load_elf(const GuestMemory& memory, const ImageSource& source,
                              std::span<const std::byte> head);

/// Whether an ELF is a Linux kernel: see `has_linux_note`. `head` as above.
Result<bool> is_linux_elf(const ImageSource& source, std::span<const std::byte> head);

}  // namespace mote
