// SPDX-License-Identifier: Apache-2.0
// An empty root directory: no path of the host, no /proc, no /dev; or with nothing but some
// folders.
#pragma once

#include <span>
#include <string>

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

/// A mount of the folder at `path` that is attached nowhere, with what is mounted inside then: `..`
/// does not lead out of it. Empty, and errno set, when that fails. Needs CAP_SYS_ADMIN in the
/// process's mount namespace.
UniqueFd hold_folder(const std::string& path);

/// A folder of the host that is to be seen in the sandbox.
struct SharedFolder {
  std::string path;  ///< absolute; where it is seen
  UniqueFd tree;     ///< as `hold_folder` makes it
};

/// Takes hold of the folder at `path`, in which nothing can be executed and no file gives
/// privileges. Needs CAP_SYS_ADMIN in the process's mount namespace.
Result<SharedFolder> take_folder(const std::string& path);

/// As `make_empty_root`, with `folders` at their paths. This one has to be mounted: it covers what
/// was the root of the process's mount namespace, which has to be its own. Linux 5.12.
Result<UniqueFd> make_root_with(std::span<const SharedFolder> folders);

/// Makes it the root and the working directory of all threads that share theirs with the caller.
/// Needs CAP_SYS_CHROOT.
Result<void> enter_empty_root(const UniqueFd& root);

}  // namespace mote::jail
