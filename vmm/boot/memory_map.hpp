// SPDX-License-Identifier: Apache-2.0
// The memory map that the guest is told, and the part of it where images may lie. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/guest_memory.hpp"
#include "core/types.hpp"

namespace mote {

/// Kinds of memory by their numbers on the wire, which are those of e820 and of PVH alike.
enum class MemoryKind : u32 { kRam = 1, kReserved = 2 };

struct MemoryMapEntry {
  GpaRange range;
  MemoryKind kind = MemoryKind::kRam;
};

/// What the structures for the guest have room for; `memory_map` never returns more.
inline constexpr std::size_t kMaxMemoryMapEntries = 8;

/// The map in ascending order: RAM without what the firmware tables occupy below 1 MiB, and that
/// area as reserved.
std::vector<MemoryMapEntry> memory_map(const GuestMemory& memory);

/// RAM where images may lie: above what the monitor writes for the first instructions, outside of
/// the firmware tables, below 4 GiB. Ascending; the last range is the larger one by far, or the
/// only one.
std::vector<GpaRange> image_space(const GuestMemory& memory);

/// True when [start, start + size) lies within one of `ranges`; for any `start` and `size`.
bool lies_within(std::span<const GpaRange> ranges, Gpa start, u64 size);

/// "0x10000-0x9fbff and 0x100000-0x7ffffff", for messages.
std::string describe(std::span<const GpaRange> ranges);

}  // namespace mote
