// SPDX-License-Identifier: Apache-2.0
// An empty root directory: no path of the host, no /proc, no /dev.
#pragma once

#include "core/result.hpp"

namespace mote::jail {

/// Makes an empty, read-only file system the root and the working directory of all threads that
/// share theirs with the caller. It is attached nowhere: `..` leads nowhere, nothing has to be
/// unmounted, and pivot_root(2), which waits milliseconds for the kernel in the unmount of the old
/// root, is not needed. Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT in the process's mount namespace.
Result<void> enter_empty_root();

}  // namespace mote::jail
