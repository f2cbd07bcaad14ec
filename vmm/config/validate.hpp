// SPDX-License-Identifier: Apache-2.0
// The rules that every configuration meets, wherever it comes from. Pure: asks nothing of the host.
#pragma once

#include "core/result.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// Checks ranges and what fields demand of each other. The Error names the field as the TOML file
/// spells it ("machine.memory"); of several problems, the first.
Result<void> validate(const VmConfig& config);

}  // namespace mote
