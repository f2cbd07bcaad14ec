// SPDX-License-Identifier: Apache-2.0
// What a client may ask of a VM that is being put together: each change is made as a whole or, with
// a reason, not at all. Pure.
#pragma once

#include <string_view>

#include "core/result.hpp"
#include "vmm/config/resources.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// Makes the changes that `update` names.
Result<void> change_machine(MachineConfig& machine, const MachineUpdate& update);

/// Adds a disk, or replaces the one with its id. The root comes before all others.
Result<void> put_drive(std::vector<BlockConfig>& drives, BlockConfig drive);
/// Adds an interface, or replaces the one with its id.
Result<void> put_net(std::vector<NetConfig>& nets, NetConfig net);

/// Adds a device of the host, or replaces the one with its id.
Result<void> put_vfio(std::vector<VfioConfig>& devices, VfioConfig device);

/// What is left of a limit after a change.
void change_rate(const RateUpdate& update, std::optional<RateLimit>& bandwidth,
                 std::optional<RateLimit>& operations);

/// The disk, interface or device with this id; null when there is none.
BlockConfig* find_drive(std::vector<BlockConfig>& drives, std::string_view id);
NetConfig* find_net(std::vector<NetConfig>& nets, std::string_view id);
VfioConfig* find_vfio(std::vector<VfioConfig>& devices, std::string_view id);

}  // namespace mote
