// SPDX-License-Identifier: Apache-2.0
// The supervisor: the process that the user started. It made the VM's process, passes signals on to
// it, waits for it and ends as it ended.
#pragma once

#include "core/fd.hpp"
#include "core/result.hpp"

namespace mote::jail {

/// Signals that are passed on; blocked before the VM's process is made, which inherits that.
Result<void> block_supervised_signals();

/// Waits for the child that the pidfd `vm` stands for. Returns the exit code of this process: the
/// VM's own, or 128 and the signal that ended it.
///
/// A descriptor and no number, so that a filter can forbid signals to all others.
int supervise(const UniqueFd& vm);
/// Sends the child a signal.
void signal_vm(const UniqueFd& vm, int number);

}  // namespace mote::jail
