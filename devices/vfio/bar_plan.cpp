// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/bar_plan.hpp"

#include <algorithm>
#include <string>

namespace mote::vfio {
namespace {

constexpr u64 page_down(u64 value) {
  return value & ~(kPageSize - 1);
}

constexpr u64 page_up(u64 value) {
  return page_down(value + kPageSize - 1);
}

bool fits(u32 bar, const Area& area, std::span<const u64> bar_sizes) {
  return bar < bar_sizes.size() && area.offset <= bar_sizes[bar] &&
         area.size <= bar_sizes[bar] - area.offset;
}

/// Takes the pages that `hole` touches out of `areas`.
std::vector<Area> without(const std::vector<Area>& areas, const Area& hole) {
  const u64 begin = page_down(hole.offset);
  const u64 end = page_up(hole.end());
  std::vector<Area> rest;
  for (const Area& area : areas) {
    const u64 left_end = std::min(area.end(), begin);
    const u64 right = std::max(area.offset, end);
    if (area.offset < left_end) rest.push_back({area.offset, left_end - area.offset});
    if (right < area.end()) rest.push_back({right, area.end() - right});
  }
  return rest;
}

}  // namespace

Result<void> check_place(const MsixPlace& place, std::span<const u64> bar_sizes,
                         std::string_view name) {
  const Area table = place.table();
  const Area pending = place.pending();
  const bool overlap = place.table_bar == place.pending_bar && table.offset < pending.end() &&
                       pending.offset < table.end();
  if (fits(place.table_bar, table, bar_sizes) && fits(place.pending_bar, pending, bar_sizes) &&
      !overlap) {
    return {};
  }
  return Error::host(std::string(name) +
                     " says that its MSI-X table is where it cannot be: no device to pass");
}

std::vector<Area> direct_areas(u32 bar, const Region& region,
                               const std::optional<MsixPlace>& place) {
  std::vector<Area> areas;
  for (const Area& area : region.mappable) {
    const u64 begin = page_up(area.offset);
    const u64 end = page_down(std::min(area.end(), region.size));
    if (begin < end) areas.push_back({begin, end - begin});
  }
  if (place && place->table_bar == bar) areas = without(areas, place->table());
  if (place && place->pending_bar == bar) areas = without(areas, place->pending());
  return areas;
}

}  // namespace mote::vfio
