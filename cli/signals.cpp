// SPDX-License-Identifier: Apache-2.0
#include "cli/signals.hpp"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

namespace mote {
namespace {

sigset_t set_of(ServedSignals which) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  if (which == ServedSignals::kNoEnd) return signals;
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

void prepare_signals(ServedSignals which) {
  const sigset_t signals = set_of(which);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // a write that fails says so itself
  // In the background of a terminal the VM goes on without input instead of being stopped.
  ::signal(SIGTTIN, SIG_IGN);
  ::signal(SIGTTOU, SIG_IGN);
}

Result<UniqueFd> signals_to_read(ServedSignals which) {
  const sigset_t signals = set_of(which);
  UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC));
  if (!fd) return Error::from_errno(errno, "cannot create a signalfd");
  return fd;
}

}  // namespace mote
