// SPDX-License-Identifier: Apache-2.0
// From regions of guest RAM to the map that boot protocols hand over.
#include "vmm/boot/memory_map.hpp"

#include <algorithm>

#include "core/check.hpp"
#include "core/text.hpp"
#include "vmm/arch/layout.hpp"

namespace mote {
namespace {

/// The part of `range` within [low, high); size 0 when there is none.
GpaRange clip(const GpaRange& range, u64 low, u64 high) {
  const u64 start = std::max(range.start.raw(), low);
  const u64 end = std::min(range.end(), high);
  return {Gpa(start), end > start ? end - start : 0};
}

}  // namespace

std::vector<MemoryMapEntry> memory_map(const GuestMemory& memory) {
  const u64 tables = layout::kLowRamEnd.raw();
  const u64 high = layout::kHighRamStart.raw();
  std::vector<MemoryMapEntry> map;
  map.reserve(kMaxMemoryMapEntries);
  for (const GuestMemory::Region& region : memory.regions()) {
    const GpaRange below = clip(region.range, 0, tables);
    const GpaRange above = clip(region.range, high, ~u64{0});
    if (below.size > 0) {
      map.push_back({below, MemoryKind::kRam});
      map.push_back({{layout::kLowRamEnd, high - tables}, MemoryKind::kReserved});
    }
    if (above.size > 0) map.push_back({above, MemoryKind::kRam});
  }
  CHECK(map.size() <= kMaxMemoryMapEntries, "guest RAM is in few regions");
  return map;
}

std::vector<GpaRange> image_space(const GuestMemory& memory) {
  std::vector<GpaRange> space;
  for (const GuestMemory::Region& region : memory.regions()) {
    const GpaRange below = clip(region.range, layout::kImageStart.raw(), layout::kLowRamEnd.raw());
    const GpaRange above =
        clip(region.range, layout::kHighRamStart.raw(), layout::kHoleStart.raw());
    if (below.size > 0) space.push_back(below);
    if (above.size > 0) space.push_back(above);
  }
  return space;
}

bool lies_within(std::span<const GpaRange> ranges, Gpa start, u64 size) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const GpaRange& range) {
    return start >= range.start && start.raw() <= range.end() && size <= range.end() - start.raw();
  });
}

std::string describe(std::span<const GpaRange> ranges) {
  std::string text;
  for (const GpaRange& range : ranges) {
    if (!text.empty()) text += " and ";
    text += format("0x%lx-0x%lx", range.start.raw(), range.end() - 1);
  }
  return text;
}

}  // namespace mote
