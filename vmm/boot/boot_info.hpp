// SPDX-License-Identifier: Apache-2.0
// BootInfo: what either boot protocol tells the guest about the machine.
#pragma once

#include <optional>
#include <span>

#include "core/types.hpp"
#include "vmm/boot/memory_map.hpp"

namespace mote {

struct BootInfo {
  std::span<const MemoryMapEntry> map;
  std::optional<GpaRange> initrd;  ///< below 4 GiB
  std::optional<Gpa> rsdp;         ///< none: the guest is told of no ACPI tables
};

}  // namespace mote
