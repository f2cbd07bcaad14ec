// SPDX-License-Identifier: Apache-2.0
// GuardedCgroup: a VM's control group that goes when the VM does, whatever ends it.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "jail/cgroup/cgroup.hpp"

namespace mote::jail {

/// A small process, the guard, makes the group and waits for the end of a connection that the VM's
/// supervisor holds. The kernel ends it with the supervisor, however that dies; the guard then ends
/// what is left in the group and removes it. So there is no moment in which the group has nobody
/// who removes it.
///
/// The guard is in a session of its own and takes no signal but SIGKILL. It has no descriptor of
/// the supervisor's, not even the standard streams, and gives up after `kGuardPatienceMs`.
class GuardedCgroup {
 public:
  /// How long the guard tries to empty and remove the group.
  static constexpr u32 kGuardPatienceMs = 10'000;

  /// Makes the guard and the group. Before the process has threads, children in a PID namespace of
  /// their own, or memory that a copy of its page tables would make dear.
  static Result<GuardedCgroup> start(std::span<const CgroupHierarchy> hierarchies,
                                     const CgroupPlace& place, const CgroupLimits& limits);

  GuardedCgroup(GuardedCgroup&&) = default;
  GuardedCgroup& operator=(GuardedCgroup&&) = default;

  /// Moves the calling process, with all its threads, into the group. Takes no file system. Once:
  /// what allows it is closed then.
  Result<void> join();
  /// Moves a process into the group.
  Result<void> add(pid_t pid);

  /// What has to stay open in the supervisor for the guard to wait: a descriptor.
  int connection() const { return connection_.get(); }
  /// In the VM's process, if it was forked from the supervisor: leaves the guard to the supervisor.
  void forget();
  /// In the supervisor, when the VM's process has ended: has the group removed, and waits for that.
  Result<void> finish();

 private:
  GuardedCgroup() = default;

  std::string name_;
  std::vector<UniqueFd> entries_;  // a cgroup.procs per tree
  UniqueFd connection_;
  pid_t guard_ = 0;
};

}  // namespace mote::jail
