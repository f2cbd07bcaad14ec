// SPDX-License-Identifier: Apache-2.0
// What keeps a function of the host from being passed to a guest, and the command that mends it.
// Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "devices/vfio/host_functions.hpp"

namespace mote::vfio {

/// One reason.
struct Obstacle {
  std::string problem;
  std::string remedy;  ///< a command or an advice; empty when nothing helps
};

/// What to do where the host does not remap interrupts.
inline constexpr std::string_view kRemapRemedy =
    "switch the remapping of interrupts on (firmware; kernel without intremap=off); if you trust "
    "the guest: echo Y | sudo tee /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";

bool is_bridge(const HostFunction& function);

/// What keeps vfio-pci from taking `function`, which another driver has or none.
std::vector<Obstacle> obstacles_to_bind(const HostFunction& function, const HostFacts& facts);

/// All that keeps `function` from a guest with `memory` bytes of RAM, in the order in which one
/// would mend it; nothing when it can be passed. `all` are the functions of the host.
std::vector<Obstacle> obstacles(const HostFunction& function, std::span<const HostFunction> all,
                                const HostFacts& facts, u64 memory);

}  // namespace mote::vfio
