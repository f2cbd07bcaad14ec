// SPDX-License-Identifier: Apache-2.0
// What the monitor tells the guest, the same for both boot protocols. Any vCPU may read it.
#pragma once

#include <string_view>

#include "guests/kit/types.hpp"

namespace kit {

enum class BootProtocol : u32 { kPvh = 0, kLinux64 = 1 };

struct MemoryRange {
  static constexpr u32 kRam = 1;
  u64 start;
  u64 size;
  u32 type;  // as in e820 [ACPI-6.5 15]

  u64 end() const { return start + size; }
};

/// The memory map: entries of hvm_memmap_table_entry (24 bytes) or boot_e820_entry (20 bytes),
/// which begin alike.
struct MemoryMap {
  u64 address = 0;
  u32 count = 0;
  u32 stride = 0;

  MemoryRange operator[](u32 index) const;
  /// Bytes in all ranges of type RAM.
  u64 ram_size() const;
};

struct BootInfo {
  BootProtocol protocol = BootProtocol::kPvh;
  const char* command_line = "";
  MemoryMap memory;
  u64 rsdp = 0;  // 0: the monitor names none
  u64 initrd = 0;
  u64 initrd_size = 0;
};

/// What the first vCPU was given.
const BootInfo& boot_info();

/// The guest. When it returns, the guest powers off.
void guest_main(const BootInfo& info);

}  // namespace kit
