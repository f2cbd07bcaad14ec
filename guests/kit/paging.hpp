// SPDX-License-Identifier: Apache-2.0
// A window on memory above 4 GiB, which the boot tables do not map. First vCPU.
#pragma once

#include "guests/kit/types.hpp"

namespace kit {

/// A pointer to guest-physical `address`. Below 4 GiB that is the address itself; above, it holds
/// until the next call and up to the end of its 2 MiB page.
void* physical(u64 address);

}  // namespace kit
