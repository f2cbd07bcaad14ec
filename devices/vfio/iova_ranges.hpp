// SPDX-License-Identifier: Apache-2.0
// Which addresses a host's IOMMU has for devices: VFIO_IOMMU_GET_INFO. Pure.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/types.hpp"

namespace mote::vfio {

/// Both ends belong to it.
struct IovaRange {
  u64 first = 0;
  u64 last = 0;
  bool operator==(const IovaRange&) const = default;
};

/// Reads the kernel's answer, a vfio_iommu_type1_info with what follows it. Nothing when it does
/// not say, or is cut short.
std::vector<IovaRange> parse_iova_ranges(std::span<const std::byte> answer);

/// The first address of `range` that is in none of `ranges`, which ascend.
std::optional<Gpa> first_gap(const GpaRange& range, std::span<const IovaRange> ranges);

}  // namespace mote::vfio
