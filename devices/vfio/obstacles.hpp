// SPDX-License-Identifier: Apache-2.0
// What keeps a function of the host from being passed to a guest, and the command that mends it.
// Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "devices/vfio/host_functions.hpp"

namespace mote::vfio {

/// One reason.
struct Obstacle {
  std::string problem;
  std::string remedy;  ///< a command or an advice; empty when nothing helps
};

bool is_bridge(const HostFunction& function);

/// What keeps vfio-pci from taking `function`, which another driver has or none.
std::vector<Obstacle> obstacles_to_bind(const HostFunction& function, const HostFacts& facts);

/// All that keeps `function` from a guest with `memory` bytes of RAM that is to have it by `way`,
/// in the order in which one would mend it; nothing when it can be passed. `all` are the functions
/// of the host.
std::vector<Obstacle> obstacles(const HostFunction& function, std::span<const HostFunction> all,
                                const HostFacts& facts, Way way, u64 memory);

}  // namespace mote::vfio
