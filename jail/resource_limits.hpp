// SPDX-License-Identifier: Apache-2.0
// Resource limits (setrlimit) of a VM's process.
#pragma once

#include "core/result.hpp"

namespace mote::jail {

/// No core files, which would hold the guest's memory; no message queues; and of descriptors and
/// threads no more than a VM of the largest size has use for. Never raises a limit.
Result<void> lower_resource_limits();

}  // namespace mote::jail
