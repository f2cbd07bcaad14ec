// SPDX-License-Identifier: Apache-2.0
#include "cli/confinement.hpp"

#include <utility>
#include <vector>

#include "cli/exit_code.hpp"
#include "cli/limits.hpp"
#include "cli/terminal.hpp"
#include "core/log.hpp"
#include "jail/descriptors.hpp"
#include "jail/seal.hpp"
#include "jail/seccomp/forbidden.hpp"

namespace mote {
namespace {

/// Descriptors that the VM was given.
std::vector<int> given_fds(const VmConfig& config) {
  std::vector<int> fds;
  for (const NetConfig& net : config.nets) fds.insert(fds.end(), net.fds.begin(), net.fds.end());
  return fds;
}

}  // namespace

Result<Confinement> Confinement::enter(const VmConfig& config) {
  Confinement confinement;
  if (!config.sandbox.enabled) {
    log(LogLevel::kWarn,
        "no sandbox: a guest that breaks out of its machine has all that this user has");
    confinement.cgroup_ = TRY(apply_limits(config));
    if (confinement.cgroup_) TRY(confinement.cgroup_->join());
    return confinement;
  }
  if (jail::kCanSeal) {
    confinement.seal_ = &jail::seal_thread;
    // Before there are two processes, so that both do.
    TRY(jail::report_forbidden_calls(static_cast<int>(ExitCode::kForbiddenCall),
                                     &RawTerminal::restore));
  } else {
    log(LogLevel::kWarn, "no system call filters: this build has sanitizers, which need any call");
  }
  TRY(jail::close_descriptors_except(given_fds(config)));
  confinement.cgroup_ = TRY(apply_limits(config));
  confinement.sandbox_ =
      TRY(jail::Sandbox::enter({.uid = config.sandbox.uid,
                                .gid = config.sandbox.gid,
                                .cgroup = confinement.cgroup_ ? &*confinement.cgroup_ : nullptr}));
  return confinement;
}

std::optional<int> Confinement::supervisors_exit_code() const {
  return sandbox_ ? sandbox_->exit_code() : std::nullopt;
}

Result<void> Confinement::lock_in(std::span<const std::unique_ptr<IoThread>> io) {
  if (!sandbox_) {
    for (const auto& thread : io) thread->lock_in({});
    return {};
  }
  const ThreadStep step = {
      [](void* own) { return static_cast<const jail::Sandbox*>(own)->lock_in_thread(); },
      &*sandbox_};
  for (const auto& thread : io) thread->lock_in(step);
  Result<void> result = sandbox_->lock_in();
  // WHY not behind the others: they take as long as this, beside it.
  if (result && seal_ != nullptr) result = seal_(ThreadRole::kStart);
  for (const auto& thread : io) {
    Result<void> theirs = thread->locked_in();
    if (result) result = std::move(theirs);
  }
  sandbox_.reset();
  return result;
}

}  // namespace mote
