// SPDX-License-Identifier: Apache-2.0
// Which parts of a BAR a guest may have without us in between. Pure.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/result.hpp"
#include "devices/vfio/device.hpp"

namespace mote::vfio {

/// Where a function keeps its MSI-X table and its pending bits [PCI-3.0 6.8.2].
struct MsixPlace {
  u32 vectors = 0;
  u32 table_bar = 0;
  u64 table_offset = 0;
  u32 pending_bar = 0;
  u64 pending_offset = 0;

  Area table() const { return {table_offset, u64{vectors} * 16}; }
  Area pending() const { return {pending_offset, (u64{vectors} + 63) / 64 * 8}; }
  bool operator==(const MsixPlace&) const = default;
};

/// An Error when table or pending bits lie outside of their BARs, which have these sizes, or lie
/// over each other. `name` is for the Error.
Result<void> check_place(const MsixPlace& place, std::span<const u64> bar_sizes,
                         std::string_view name);

/// The parts of BAR `bar` that are mapped into the guest: what is mappable, less the pages that the
/// table or the pending bits touch, if there is a table. What shares a page with those is reached
/// through us, and so is a BAR that is smaller than a page.
std::vector<Area> direct_areas(u32 bar, const Region& region,
                               const std::optional<MsixPlace>& place);

}  // namespace mote::vfio
