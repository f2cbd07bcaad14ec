// SPDX-License-Identifier: Apache-2.0
// A device by the kernel's VFIO, however its file was come by
// (Documentation/driver-api/vfio.rst).
#pragma once

#include <memory>
#include <string>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "devices/vfio/device.hpp"

namespace mote::vfio {

/// The device behind `fd`, whose IOMMU is set. Asks for its regions and resets it. `name` is its
/// address on the host.
Result<std::unique_ptr<Device>> open_kernel_device(UniqueFd fd, std::string name);

}  // namespace mote::vfio
