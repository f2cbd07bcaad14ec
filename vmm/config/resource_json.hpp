// SPDX-License-Identifier: Apache-2.0
// A VM's configuration as JSON, in the words of Firecracker's API. Pure.
#pragma once

#include <string>
#include <string_view>

#include "vmm/config/vm_config.hpp"

namespace mote {

std::string machine_json(const MachineConfig& machine);
/// A device of the host; `state` is where it is in its life.
std::string vfio_json(const VfioConfig& device, std::string_view state);
/// All of it; what is not there is null.
std::string vm_json(const VmConfig& config);

}  // namespace mote
