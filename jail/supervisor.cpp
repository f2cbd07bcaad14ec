// SPDX-License-Identifier: Apache-2.0
#include "jail/supervisor.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace mote::jail {
namespace {

/// Not SIGHUP: when a terminal goes, so does this process, and the VM's with it.
sigset_t supervised_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGCHLD}) {
    sigaddset(&signals, number);
  }
  return signals;
}

int exit_code(const siginfo_t& end) {
  if (end.si_code == CLD_EXITED) return end.si_status;
  std::fprintf(stderr, "mote: the process of the VM was ended by signal %d (%s)%s\n", end.si_status,
               ::sigdescr_np(end.si_status),
               end.si_status == SIGKILL ? " -- by somebody, or by the host for want of memory: see "
                                          "the kernel's log and the control group's memory.events"
                                        : "");
  return 128 + end.si_status;
}

}  // namespace

Result<void> block_supervised_signals() {
  const sigset_t signals = supervised_signals();
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) == 0) return {};
  return Error::from_errno(errno, "cannot block signals");
}

void signal_vm(const UniqueFd& vm, int number) {
  ::syscall(SYS_pidfd_send_signal, vm.get(), number, nullptr, 0);
}

int supervise(const UniqueFd& vm) {
  const sigset_t signals = supervised_signals();
  for (;;) {
    siginfo_t end{};
    const auto id = static_cast<id_t>(vm.get());
    if (::waitid(P_PIDFD, id, &end, WEXITED | WNOHANG) == 0 && end.si_pid != 0) {
      return exit_code(end);
    }
    siginfo_t signal{};
    const int number = ::sigwaitinfo(&signals, &signal);
    // What a terminal sends reaches the VM's process by itself: both are in its foreground.
    if (number > 0 && number != SIGCHLD && signal.si_code != SI_KERNEL) signal_vm(vm, number);
  }
}

}  // namespace mote::jail
