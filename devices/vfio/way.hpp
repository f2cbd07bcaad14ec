// SPDX-License-Identifier: Apache-2.0
// The kernel's two interfaces to a function that vfio-pci has, and which of them is taken. Pure.
#pragma once

#include <span>

#include "devices/vfio/host_functions.hpp"

namespace mote::vfio {

/// By which of them a user gets further with `function`; where neither opens, by which one it is to
/// be tried: iommufd where the host has both of its files.
Way way_to(const HostFunction& function, const HostFacts& facts);

/// All devices of a VM see its memory by one interface: iommufd if it is the way to each.
Way way_to_all(std::span<const HostFunction> functions, const HostFacts& facts);

/// "iommufd" or "container".
const char* way_name(Way way);

}  // namespace mote::vfio
