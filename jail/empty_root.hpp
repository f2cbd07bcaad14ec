// SPDX-License-Identifier: Apache-2.0
// An empty root directory: no path of the host, no /proc, no /dev.
#pragma once

#include "core/fd.hpp"
#include "core/result.hpp"

namespace mote::jail {

/// An empty, read-only file system that is attached nowhere: `..` leads nowhere, nothing has to be
/// unmounted, and pivot_root(2), which waits milliseconds for the kernel in the unmount of the old
/// root, is not needed. Needs CAP_SYS_ADMIN in the process's mount namespace.
///
/// Whoever closes the last copy of the descriptor waits some tenths of a millisecond for the
/// kernel: let it be somebody who has time.
Result<UniqueFd> make_empty_root();

/// Makes it the root and the working directory of all threads that share theirs with the caller.
/// Needs CAP_SYS_CHROOT.
Result<void> enter_empty_root(const UniqueFd& root);

}  // namespace mote::jail
