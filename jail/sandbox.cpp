// SPDX-License-Identifier: Apache-2.0
#include "jail/sandbox.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <span>
#include <utility>
#include <vector>

#include "core/log.hpp"
#include "core/passed_fds.hpp"
#include "core/thread.hpp"
#include "core/types.hpp"
#include "jail/descriptors.hpp"
#include "jail/empty_root.hpp"
#include "jail/landlock.hpp"
#include "jail/namespaces.hpp"
#include "jail/resource_limits.hpp"
#include "jail/seal.hpp"
#include "jail/supervisor.hpp"

namespace mote::jail {
namespace {

Result<Identity> choose_identity(const SandboxOptions& options) {
  const uid_t uid = options.uid.value_or(kFirstVmUser + static_cast<uid_t>(::getpid()));
  return Identity{.uid = uid, .gid = options.gid.value_or(uid)};
}

Error supervisor_gone() {
  return Error::host("cannot start the VM: its supervisor was ended meanwhile");
}

/// The supervisor needs no files any more but those that it removes, and of its privileges that to
/// end a process of another user. `room`: its root and, if there is one, the folder that takes the
/// place of the one that it has as `folder`.
Result<void> confine_supervisor(std::span<const UniqueFd> room, int folder) {
  set_thread_name("supervisor");
  TRY(enter_empty_root(room.front()));
  if (folder >= 0 && ::dup3(room.back().get(), folder, O_CLOEXEC) < 0) {
    return Error::from_errno(errno, "cannot confine the VM's supervisor: dup3");
  }
  TRY(drop_privileges(std::nullopt, u64{1} << CAP_KILL));
  return seal_thread(ThreadRole::kSupervisor);
}

/// The supervisor's part, to its end.
Result<int> run_supervisor(pid_t process, UniqueFd news, GuardedCgroup* cgroup,
                           const Cleanup& cleanup) {
  const int network = leave_network_namespace();
  // WHY look at no result: a VM's process that is gone by now is the next thing that is noticed.
  static_cast<void>(::send(news.get(), &network, sizeof(network), MSG_NOSIGNAL));
  std::vector<int> kept = {news.get()};
  if (cgroup != nullptr) kept.push_back(cgroup->connection());
  if (cleanup.fd >= 0) kept.push_back(cleanup.fd);
  Result<void> ready = close_descriptors_except(std::move(kept));
  const UniqueFd vm(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (!vm) {
    const int reason = errno;
    ::kill(process, SIGKILL);
    return Error::from_errno(reason, "cannot open a pidfd of the VM's process");
  }
  // Takes no processor time from a start that has use for it. Without a root the VM is gone.
  {
    std::byte byte{};
    const auto room = receive_with_fds(news, std::span(&byte, 1));
    if (ready && room && !room->empty()) ready = confine_supervisor(*room, cleanup.fd);
  }
  if (!ready) signal_vm(vm, SIGKILL);
  const int code = supervise(vm);
  if (cleanup.function != nullptr) cleanup.function(cleanup.context);
  TRY(ready);
  if (cgroup != nullptr) {
    // How the VM ended is what counts for whoever started it.
    if (const auto removed = cgroup->finish(); !removed) {
      log(LogLevel::kWarn, "%s", removed.error().message().c_str());
    }
  }
  return code;
}

}  // namespace

Result<Sandbox> Sandbox::enter(const SandboxOptions& options) {
  Sandbox sandbox;
  if (is_privileged()) {
    sandbox.identity_ = TRY(choose_identity(options));
  } else if (options.uid || options.gid) {
    return Error::config(
        "a VM can be made another user only by root of the host -- leave out uid and gid");
  } else {
    TRY(enter_user_namespace());
  }
  TRY(block_supervised_signals());
  TRY(leave_process_namespace());
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return Error::from_errno(errno, "cannot make a pair of sockets");
  }
  sandbox.news_.reset(ends[0]);
  UniqueFd supervisors_end(ends[1]);
  sandbox.supervisor_.reset(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!sandbox.supervisor_) {
    return Error::from_errno(errno, "cannot open a pidfd",
                             "it takes Linux 5.3; or do without: --no-sandbox");
  }
  const pid_t vm = ::fork();
  if (vm < 0) {
    return Error::from_errno(
        errno, "cannot make the VM's process",
        "raise the limit of processes (ulimit -u) or of the cgroup (pids.max)");
  }
  if (vm > 0) {
    sandbox = Sandbox();  // what it holds is the other process's
    sandbox.exit_code_ =
        TRY(run_supervisor(vm, std::move(supervisors_end), options.cgroup, options.cleanup));
    return sandbox;
  }
  supervisors_end.reset();
  if (options.cgroup != nullptr) {
    TRY(options.cgroup->join());
    options.cgroup->forget();
  }
  // Behind the join, so that the VM's group is the root of what it sees.
  TRY(leave_host_namespaces());
  TRY(bound_capabilities());  // of this thread and all that it makes
  std::vector<int> trees;
  trees.reserve(options.folders.size());
  for (const std::string& path : options.folders) {
    trees.push_back(sandbox.folders_.emplace_back(TRY(take_folder(path))).tree.get());
  }
  sandbox.landlock_ = TRY(make_landlock_ruleset(trees));
  if (options.cleanup.fd >= 0) {
    sandbox.cleanup_ = hold_folder(options.cleanup.folder);
    if (!sandbox.cleanup_) {
      return Error::from_errno(errno, "cannot hold folder '" + options.cleanup.folder + "'",
                               "it takes Linux 5.2; or do without: --no-sandbox");
    }
  }
  return sandbox;
}

Result<void> Sandbox::lock_in() {
  {
    UniqueFd root = TRY(folders_.empty() ? make_empty_root() : make_root_with(folders_));
    TRY(enter_empty_root(root));
    if (!folders_.empty()) root = TRY(make_empty_root());  // the supervisor sees no folders
    std::vector<UniqueFd> room;
    room.push_back(std::move(root));
    if (cleanup_) room.push_back(std::move(cleanup_));
    constexpr std::byte kByte{};
    TRY(send_with_fds(news_, std::span(&kByte, 1), room));
  }
  TRY(lower_resource_limits());
  TRY(lock_in_thread());
  // The two that a change of user takes back.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
    return Error::from_errno(errno, "cannot bind the VM's process to its supervisor");
  }
  // WHY look: the kernel ends this process with the supervisor only from here on.
  pollfd end{.fd = news_.get(), .events = POLLRDHUP, .revents = 0};
  if (::poll(&end, 1, 0) != 0 && (end.revents & (POLLRDHUP | POLLHUP)) != 0) {
    return supervisor_gone();
  }
  // What is left of the way to the supervisor is for other threads to see that the network is
  // there.
  ::shutdown(news_.get(), SHUT_WR);
  return {};
}

Result<void> Sandbox::lock_in_thread() const {
  TRY(wait_for_network());
  TRY(join_network_namespace(supervisor_.get()));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return Error::from_errno(errno, "cannot set no_new_privs");
  }
  TRY(enter_landlock(landlock_));
  return drop_privileges(identity_);
}

/// The message stays in the socket for the other threads.
Result<void> Sandbox::wait_for_network() const {
  int result = 0;
  ssize_t size = 0;
  do {
    size = ::recv(news_.get(), &result, sizeof(result), MSG_PEEK | MSG_WAITALL);
  } while (size < 0 && errno == EINTR);
  if (size != sizeof(result)) return supervisor_gone();
  if (result == 0) return {};
  return Error::from_errno(result, "cannot make the VM's network namespace",
                           "raise the host's limit (sysctl user.max_net_namespaces)");
}

}  // namespace mote::jail
