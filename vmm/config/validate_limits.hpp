// SPDX-License-Identifier: Apache-2.0
// The rules for [limits]: whether the VM can live within them. Pure.
#pragma once

#include "core/result.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// The least `limits.memory` that a VM of this configuration fits: guest RAM, unless it is huge
/// pages, which are not counted there; the page tables of both sides; and Mote itself.
u64 least_memory_limit(const VmConfig& config);
/// The least `limits.pids`: the VM's threads, and workers of the rings of its loops.
u32 least_pids_limit(const VmConfig& config);

Result<void> validate_limits(const VmConfig& config);

}  // namespace mote
