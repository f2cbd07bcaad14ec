// SPDX-License-Identifier: Apache-2.0
// What `mote vfio list` shows. Pure.
#pragma once

#include <span>
#include <string>

#include "devices/vfio/host_functions.hpp"

namespace mote {

/// For people: a line for each function but bridges, and below it what keeps it from a guest.
std::string vfio_table(std::span<const vfio::HostFunction> functions, const vfio::HostFacts& facts);

/// For machines: {"functions": [{"address", "vendor", "device", "class", "driver" (null: none),
/// "interface" ("iommufd", "container"; null: vfio-pci does not have it), "iommu_group" (null:
/// none), "physical_function" (null: it is none of a physical one's), "virtual_functions"
/// [address...], "virtual_functions_limit", "passable": bool, "obstacles":
/// [{"problem", "remedy"}]}]}.
std::string vfio_json(std::span<const vfio::HostFunction> functions, const vfio::HostFacts& facts);

}  // namespace mote
