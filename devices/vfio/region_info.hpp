// SPDX-License-Identifier: Apache-2.0
// What the kernel says of a region of a device: VFIO_DEVICE_GET_REGION_INFO. Pure.
#pragma once

#include <optional>
#include <span>

#include "devices/vfio/device.hpp"

namespace mote::vfio {

/// A region and where it lies in the device's file.
struct RegionInfo {
  Region region;
  u64 file_offset = 0;
};

/// Reads the kernel's answer, a vfio_region_info with what follows it. Nothing when it is cut short
/// or leads out of itself.
std::optional<RegionInfo> parse_region_info(std::span<const std::byte> answer);

}  // namespace mote::vfio
