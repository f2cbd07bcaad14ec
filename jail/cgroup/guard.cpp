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
#include <cstring>

namespace mote::jail {
namespace {

/// The trees of a host with v1 that limits can be in.
constexpr std::size_t kMostEntries = 8;
constexpr std::size_t kLongestMessage = 4096;

/// What the guard says when the group is made, or why not.
struct Report {
  Fault fault = Fault::kHost;
  char failure[kLongestMessage] = {};  // empty: none
};

/// Room for a control message with the entries.
union Control {
  cmsghdr header;
  std::array<char, CMSG_SPACE(sizeof(int) * kMostEntries)> bytes;
};

void send_report(int connection, const Report& report, std::span<const UniqueFd> entries) {
  iovec text{.iov_base = const_cast<Report*>(&report), .iov_len = sizeof(report)};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  Control control{};
  if (!entries.empty()) {
    int fds[kMostEntries];
    for (std::size_t i = 0; i < entries.size(); ++i) fds[i] = entries[i].get();
    const std::size_t size = sizeof(int) * entries.size();
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(size);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(&control.header), fds, size);
  }
  ::sendmsg(connection, &message, MSG_NOSIGNAL);
}

Report failure_report(const Error& error) {
  Report report{.fault = error.fault()};
  error.message().copy(report.failure, sizeof(report.failure) - 1);
  return report;
}

Result<std::vector<UniqueFd>> receive_report(int connection) {
  Report report;
  iovec text{.iov_base = &report, .iov_len = sizeof(report)};
  Control control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof(control);
  ssize_t size = 0;
  do {
    size = ::recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size != sizeof(report)) {
    return Error::host("cannot make a control group: its guard was ended");
  }
  if (report.failure[0] != '\0') return Error(report.fault, report.failure);
  std::vector<UniqueFd> entries;
  if (message.msg_controllen >= sizeof(cmsghdr)) {
    const std::size_t count = (control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
    int fds[kMostEntries];
    std::memcpy(fds, CMSG_DATA(&control.header), count * sizeof(int));
    for (std::size_t i = 0; i < count; ++i) entries.emplace_back(fds[i]);
  }
  return entries;
}

/// Waits until nobody holds the other end.
void await_end(int connection) {
  char byte = 0;
  ssize_t size = 0;
  do {
    size = ::recv(connection, &byte, 1, 0);
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
int guard(int connection, pid_t supervisor, std::span<const CgroupHierarchy> hierarchies,
          const CgroupPlace& place, const CgroupLimits& limits) {
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
  // WHY look at no result of these: a supervisor that is gone by now is noticed next.
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
    ::_exit(guard(guards_end.get(), supervisor, hierarchies, place, limits));
  }
  guards_end.reset();  // else the end of a guard that is killed would never be seen
  auto entries = receive_report(group.connection_.get());
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
