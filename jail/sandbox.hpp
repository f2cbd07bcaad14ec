// SPDX-License-Identifier: Apache-2.0
// The sandbox: the empty room that a VM's process locks itself into, when it has opened what the
// configuration names and before it reads the first byte that comes from a guest.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "jail/cgroup/guard.hpp"
#include "jail/credentials.hpp"
#include "jail/empty_root.hpp"

namespace mote::jail {

/// What the supervisor does when the VM's process has ended, however that happened. It has no root
/// then, and few system calls: newfstatat and unlinkat are among them.
struct Cleanup {
  void (*function)(void* context) = nullptr;  ///< null: nothing
  void* context = nullptr;
  int fd = -1;         ///< a descriptor of a folder that it works in; -1: none
  std::string folder;  ///< that folder's path
};

struct SandboxOptions {
  std::optional<uid_t> uid;          ///< none: kFirstVmUser and the process number; as root only
  std::optional<gid_t> gid;          ///< none: the same number as the user
  GuardedCgroup* cgroup = nullptr;   ///< what the VM's process joins; null: it stays where it is
  std::vector<std::string> folders;  ///< absolute paths that it goes on to see; none in another
  Cleanup cleanup;
};

/// What the VM's process holds of its sandbox until all its threads are inside: descriptors, which
/// go with the object.
///
/// There are two processes: the VM's, which is the first of a PID namespace, and the one that was
/// started, which supervises it. While the VM's process opens files and asks KVM for a VM, the
/// supervisor makes the network namespace, which takes longer than all the other steps.
class Sandbox {
 public:
  /// Splits the process in two and returns in both: in the supervisor when the VM's process has
  /// ended, and its control group is gone. Called before there are threads, or files of the
  /// host are open. Errors are to be reported in the process that they come in.
  static Result<Sandbox> enter(const SandboxOptions& options);

  /// In the supervisor: the exit code to end with, the VM's own. None in the VM's process, which
  /// alone calls what follows.
  std::optional<int> exit_code() const { return exit_code_; }

  /// Locks in the process and the calling thread: empty root, own network, no privileges, no way
  /// back. Threads that it makes later are inside. Those that it has made before have to
  /// `lock_in_thread`. An Error also when the supervisor is gone meanwhile.
  Result<void> lock_in();
  /// Locks in the calling thread, as far as a thread has a state of its own. Any time.
  Result<void> lock_in_thread() const;

 private:
  Sandbox() = default;
  Result<void> wait_for_network() const;

  std::optional<int> exit_code_;
  std::optional<Identity> identity_;  ///< as root
  UniqueFd supervisor_;               ///< its pidfd: the way to its network namespace
  UniqueFd news_;                     ///< where it says that this is ready; ends when it does
  UniqueFd landlock_;
  std::vector<SharedFolder> folders_;
  UniqueFd cleanup_;  ///< the supervisor's folder, which for it is all there is
};

}  // namespace mote::jail
