// SPDX-License-Identifier: Apache-2.0
// What mends a refusal of the kernel's, of which it says no more than an errno. Pure.
#pragma once

#include <string>

#include "devices/vfio/host_functions.hpp"

namespace mote::vfio {

/// What was tried.
enum class Attempt : u8 {
  kOpenGroup,  ///< open /dev/vfio/N
  kUseIommu,   ///< VFIO_SET_IOMMU
  kBind,       ///< VFIO_DEVICE_BIND_IOMMUFD
  kMap,        ///< VFIO_IOMMU_MAP_DMA, IOMMU_IOAS_MAP
};

/// Whether VFIO_DEVICE_BIND_IOMMUFD says by `errno_value` that somebody else has the device.
bool means_in_use(int errno_value);

/// What to do after `attempt` failed with `errno_value`; empty when nobody knows.
std::string refusal_remedy(Attempt attempt, int errno_value);

/// What to do where the host does not remap interrupts.
std::string remap_remedy(Way way);

}  // namespace mote::vfio
