// SPDX-License-Identifier: Apache-2.0
// How a run is confined, from the first process to the last thread; or, on request, that it is not.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/exit_code.hpp"
#include "core/result.hpp"
#include "core/thread_role.hpp"
#include "jail/cgroup/guard.hpp"
#include "jail/sandbox.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/machine/io_thread.hpp"

namespace mote {

/// What a run has besides its configuration.
struct ConfinementNeeds {
  std::vector<int> fds;              ///< descriptors that stay open
  std::vector<std::string> folders;  ///< absolute paths of the host that the VM goes on to see
  jail::Cleanup cleanup;             ///< in a sandbox
  int forbidden_call = static_cast<int>(ExitCode::kForbiddenCall);  ///< exit code for one
  bool filters_alone = false;  ///< where there is no sandbox: filters all the same
};

/// The steps of confinement in the order of a start. Where the configuration has no sandbox,
/// limits are all that is left of them.
class Confinement {
 public:
  /// Makes the control group that the configuration's limits ask for and splits the process in two:
  /// see jail::Sandbox. Returns in both. Closes descriptors that nobody has asked for.
  static Result<Confinement> enter(const VmConfig& config, const ConfinementNeeds& needs = {});

  /// In the supervisor: the exit code to end with. None in the process that is to go on.
  std::optional<int> supervisors_exit_code() const;
  /// Locks in this thread and those of `io`, beside each other, and puts this one under the filter
  /// of a start. Behind it no file can be opened. An Error: the guest must not run.
  Result<void> lock_in(std::span<const std::unique_ptr<IoThread>> io);
  /// Locks in a process that has no other threads yet; those that it makes are inside. No filter.
  Result<void> lock_in();
  /// How each thread is confined before the guest runs.
  ThreadSeal seal() const { return seal_; }

 private:
  Confinement() = default;
  Result<void> enable_filters(int forbidden_call);

  std::optional<jail::GuardedCgroup> cgroup_;
  std::optional<jail::Sandbox> sandbox_;
  ThreadSeal seal_ = nullptr;
};

}  // namespace mote
