// SPDX-License-Identifier: Apache-2.0
#include "jail/cgroup/guard.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "core/passed_fds.hpp"

namespace mote::jail {
namespace {

constexpr std::size_t kLongestMessage = 4096;

/// What the guard says when the group is made, or why not.
struct Report {
  Fault fault = Fault::kHost;
  char failure[kLongestMessage] = {};  // empty: none
};

void send_report(const UniqueFd& connection, const Report& report,
                 std::span<const UniqueFd> entries) {
  // WHY look at no result: a supervisor that is gone by now is noticed next.
  static_cast<void>(send_with_fds(connection, std::as_bytes(std::span(&report, 1)), entries));
}

Report failure_report(const Error& error) {
  Report report{.fault = error.fault()};
  error.message().copy(report.failure, sizeof(report.failure) - 1);
  return report;
}

Result<std::vector<UniqueFd>> receive_report(const UniqueFd& connection) {
  Report report;
  auto entries = receive_with_fds(connection, std::as_writable_bytes(std::span(&report, 1)));
  if (!entries) return Error::host("cannot make a control group: its guard was ended");
  if (report.failure[0] != '\0') return Error(report.fault, report.failure);
  return entries;
}

/// Waits until nobody holds the other end.
void await_end(const UniqueFd& connection) {
  char byte = 0;
  ssize_t size = 0;
  do {
    size = ::recv(connection.get(), &byte, 1, 0);
  } while (size > 0 || (size < 0 && errno == EINTR));
}

/// The guard must not hold the end whose closing it waits for, nor anything else of the
/// supervisor's.
void close_all_but(int kept) {
  const auto fd = static_cast<unsigned>(kept);
  if (fd > 0) ::close_range(0, fd - 1, 0);
  ::close_range(fd + 1, ~0U, 0);
}

/// The guard from its first to its last step; returns its exit code.
int guard(const UniqueFd& connection, pid_t supervisor,
          std::span<const CgroupHierarchy> hierarchies, const CgroupPlace& place,
          const CgroupLimits& limits) {
  ::setsid();
  ::prctl(PR_SET_NAME, "mote-guard");
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  if (::chdir("/") != 0) return 1;

  const std::array ours = {supervisor, ::getpid()};
  const auto group = Cgroup::create(hierarchies, place, limits, ours);
  if (!group) {
    send_report(connection, failure_report(group.error()), {});
    return 0;
  }
  {
    const auto entries = group->open_entries();
    if (entries) {
      send_report(connection, {}, *entries);
    } else {
      send_report(connection, failure_report(entries.error()), {});
    }
  }
  await_end(connection);
  return group->remove(GuardedCgroup::kGuardPatienceMs) ? 0 : 1;
}

}  // namespace

Result<GuardedCgroup> GuardedCgroup::start(std::span<const CgroupHierarchy> hierarchies,
                                           const CgroupPlace& place, const CgroupLimits& limits) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return Error::from_errno(errno, "cannot make a pair of sockets");
  }
  GuardedCgroup group;
  group.name_ = place.name;
  group.connection_.reset(ends[0]);
  UniqueFd guards_end(ends[1]);
  const pid_t supervisor = ::getpid();
  group.guard_ = ::fork();
  if (group.guard_ < 0) {
    return Error::from_errno(errno, "cannot make the guard of a control group",
                             "raise the limit of processes (ulimit -u)");
  }
  if (group.guard_ == 0) {
    close_all_but(guards_end.get());
    ::_exit(guard(guards_end, supervisor, hierarchies, place, limits));
  }
  guards_end.reset();  // else the end of a guard that is killed would never be seen
  auto entries = receive_report(group.connection_);
  if (!entries) {
    group.connection_.reset();
    ::waitpid(group.guard_, nullptr, 0);
    return std::move(entries).error();
  }
  group.entries_ = *std::move(entries);
  return group;
}

Result<void> GuardedCgroup::join() {
  TRY(add(0));
  entries_.clear();
  return {};
}

Result<void> GuardedCgroup::add(pid_t pid) {
  for (const UniqueFd& entry : entries_) {
    auto added = add_process(entry, pid);
    if (!added) return std::move(added).error().within("control group '" + name_ + "'");
  }
  return {};
}

void GuardedCgroup::forget() {
  connection_.reset();
  guard_ = 0;
}

Result<void> GuardedCgroup::finish() {
  entries_.clear();
  // Not only closed: a copy of the descriptor in some other process must not keep the guard.
  ::shutdown(connection_.get(), SHUT_RDWR);
  connection_.reset();
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(guard_, &status, 0);
  } while (ended < 0 && errno == EINTR);
  if (ended == guard_ && WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Error::host("cannot remove the control group '" + name_ +
                     "': its guard was ended, or a process in it cannot be -- see what holds it: "
                     "cgroup.procs");
}

}  // namespace mote::jail
