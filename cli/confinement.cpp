// SPDX-License-Identifier: Apache-2.0
#include "cli/confinement.hpp"

#include <utility>

#include "cli/exit_code.hpp"
#include "cli/terminal.hpp"
#include "core/log.hpp"
#include "jail/seal.hpp"
#include "jail/seccomp/forbidden.hpp"

namespace mote {
namespace {

jail::SandboxOptions options_of(const VmConfig& config) {
  jail::SandboxOptions options{.uid = config.sandbox.uid, .gid = config.sandbox.gid};
  for (const NetConfig& net : config.nets) {
    options.kept_fds.insert(options.kept_fds.end(), net.fds.begin(), net.fds.end());
  }
  return options;
}

}  // namespace

Result<Confinement> Confinement::enter(const VmConfig& config) {
  Confinement confinement;
  if (!config.sandbox.enabled) {
    log(LogLevel::kWarn,
        "no sandbox: a guest that breaks out of its machine has all that this user has");
    return confinement;
  }
  if (jail::kCanSeal) {
    confinement.seal_ = &jail::seal_thread;
  } else {
    log(LogLevel::kWarn, "no system call filters: this build has sanitizers, which need any call");
  }
  confinement.sandbox_ = TRY(jail::Sandbox::enter(options_of(config)));
  return confinement;
}

std::optional<int> Confinement::supervisors_exit_code() const {
  return sandbox_ ? sandbox_->exit_code() : std::nullopt;
}

Result<void> Confinement::lock_in(std::span<const std::unique_ptr<IoThread>> io) {
  ThreadStep step;
  if (sandbox_) {
    step = {[](void* own) { return static_cast<const jail::Sandbox*>(own)->lock_in_thread(); },
            &*sandbox_};
  }
  for (const auto& thread : io) thread->lock_in(step);
  Result<void> result = sandbox_ ? sandbox_->lock_in() : Result<void>();
  for (const auto& thread : io) {
    Result<void> theirs = thread->locked_in();
    if (result) result = std::move(theirs);
  }
  TRY(result);
  if (sandbox_) TRY(sandbox_->seal());
  if (seal_ == nullptr) return {};
  TRY(jail::report_forbidden_calls(static_cast<int>(ExitCode::kForbiddenCall),
                                   &RawTerminal::restore));
  return seal_(ThreadRole::kStart);
}

}  // namespace mote
