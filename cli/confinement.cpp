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

Result<void> Confinement::enable_filters(int forbidden_call) {
  if (!jail::kCanSeal) {
    log(LogLevel::kWarn, "no system call filters: this build has sanitizers, which need any call");
    return {};
  }
  seal_ = &jail::seal_thread;
  return jail::report_forbidden_calls(forbidden_call, &RawTerminal::restore);
}

Result<Confinement> Confinement::enter(const VmConfig& config, const ConfinementNeeds& needs) {
  Confinement confinement;
  const bool has_filters = config.sandbox.enabled || needs.filters_alone;
  if (!has_filters) {
    log(LogLevel::kWarn,
        "no sandbox: a guest that breaks out of its machine has all that this user has");
  }
  // Before there are two processes, so that both do.
  if (has_filters) TRY(confinement.enable_filters(needs.forbidden_call));
  if (!config.sandbox.enabled) {
    confinement.cgroup_ = TRY(apply_limits(config));
    if (confinement.cgroup_) TRY(confinement.cgroup_->join());
    return confinement;
  }
  std::vector<int> kept = given_fds(config);
  kept.insert(kept.end(), needs.fds.begin(), needs.fds.end());
  if (needs.cleanup.fd >= 0) kept.push_back(needs.cleanup.fd);
  TRY(jail::close_descriptors_except(std::move(kept)));
  confinement.cgroup_ = TRY(apply_limits(config));
  confinement.sandbox_ =
      TRY(jail::Sandbox::enter({.uid = config.sandbox.uid,
                                .gid = config.sandbox.gid,
                                .cgroup = confinement.cgroup_ ? &*confinement.cgroup_ : nullptr,
                                .folders = needs.folders,
                                .cleanup = needs.cleanup}));
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

Result<void> Confinement::lock_in() {
  if (!sandbox_) return {};
  TRY(sandbox_->lock_in());
  sandbox_.reset();
  return {};
}

}  // namespace mote
