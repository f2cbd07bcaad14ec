// SPDX-License-Identifier: Apache-2.0
// A function in ring 3, where software KVM runs guest code natively. First vCPU.
#pragma once

#include "guests/kit/types.hpp"

namespace kit {

using UserFunction = u64 (*)(u64 argument);

/// Runs `function(argument)` in ring 3 with all ports open and gives its result. Memory and devices
/// are all within reach of ring 3; interrupts stay as they are and are handled in ring 0.
u64 run_in_ring3(UserFunction function, u64 argument);

}  // namespace kit
