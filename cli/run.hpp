// SPDX-License-Identifier: Apache-2.0
// `mote run`: one VM from its configuration to its end.
#pragma once

#include "vmm/config/vm_config.hpp"
#include "vmm/machine/timeline.hpp"

namespace mote {

/// Runs the VM on the calling thread until it ends and returns the exit code (cli/exit_code.hpp).
/// Errors are printed on standard error. `timeline` was made at the start of the process.
int run_command(const VmConfig& config, Timeline& timeline);

}  // namespace mote
