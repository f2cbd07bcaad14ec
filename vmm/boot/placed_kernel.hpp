// SPDX-License-Identifier: Apache-2.0
// PlacedKernel: a kernel that is in guest RAM, and what it lays down for what follows it.
#pragma once

#include <asm/bootparam.h>

#include <vector>

#include "core/types.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// In which state, and with a pointer to what, the first vCPU begins.
enum class EntryProtocol : u8 {
  kPvh,      ///< 32-bit flat protected mode, paging off, ebx = hvm_start_info
  kLinux64,  ///< long mode on an identity map, rsi = boot_params
};

struct PlacedKernel {
  EntryProtocol protocol = EntryProtocol::kPvh;
  Gpa entry;
  /// Memory that is the kernel's from its first instruction on, with its bss.
  std::vector<GpaRange> occupied;
  u64 initrd_end = ~u64{0};  ///< an initrd must end at or below
  std::size_t cmdline_size = kMaxCmdline;
  setup_header header{};  ///< for kLinux64
};

}  // namespace mote
