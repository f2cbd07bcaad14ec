// SPDX-License-Identifier: Apache-2.0
// PVH: hvm_start_info with memory map and module list, to which ebx points at the entry.
#pragma once

#include "core/guest_memory.hpp"
#include "vmm/boot/boot_info.hpp"

namespace mote {

/// Writes hvm_start_info version 1 [Xen, hvm/start_info.h] to layout::kStartInfo.
void write_start_info(const GuestMemory& memory, const BootInfo& info);

}  // namespace mote
