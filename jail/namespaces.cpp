// SPDX-License-Identifier: Apache-2.0
#include "jail/namespaces.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "core/text.hpp"
#include "core/types.hpp"

namespace mote::jail {
namespace {

constexpr char kOrdinaryUsers[] =
    "let ordinary users make user namespaces (sysctl user.max_user_namespaces, "
    "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns), run it as "
    "root, or do without: --no-sandbox";

/// A file of /proc/self that defines the user namespace takes one write.
Result<void> write_map(const char* name, const std::string& text) {
  const std::string path = std::string("/proc/self/") + name;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
    return {};
  }
  return Error::from_errno(errno, "cannot set up the VM's user namespace: '" + path + "'",
                           kOrdinaryUsers);
}

/// Whether every number is a user here: so it is in the host's first user namespace.
bool has_all_users() {
  const UniqueFd map(::open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC));
  // Three numbers in columns of 10: the first one here, the same outside, and how many.
  constexpr std::string_view kAll = "         0          0 4294967295\n";
  char text[kAll.size()];
  return map && ::read(map.get(), text, sizeof(text)) == sizeof(text) &&
         std::string_view(text, sizeof(text)) == kAll;
}

}  // namespace

bool is_privileged() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  constexpr u32 kNeeded = 1u << CAP_SYS_ADMIN | 1u << CAP_SETUID | 1u << CAP_SETGID;
  return (data[0].effective & kNeeded) == kNeeded && has_all_users();
}

Result<void> enter_user_namespace() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0) {
    return Error::from_errno(errno, "cannot make a user namespace for the VM", kOrdinaryUsers);
  }
  TRY(write_map("uid_map", format("%u %u 1\n", user, user)));
  // WHY: an unprivileged process may only map its group after it has given up to change groups.
  TRY(write_map("setgroups", "deny"));
  TRY(write_map("gid_map", format("%u %u 1\n", group, group)));
  return {};
}

Result<void> leave_process_namespace() {
  if (::unshare(CLONE_NEWPID) == 0) return {};
  return Error::from_errno(errno, "cannot make the VM's PID namespace",
                           "raise the host's limit (sysctl user.max_pid_namespaces)");
}

Result<void> leave_host_namespaces() {
  if (::unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) == 0) return {};
  return Error::from_errno(errno, "cannot make the VM's namespaces (mount, ipc, uts, cgroup)",
                           "raise the host's limits (sysctl -a | grep 'user.max_.*_namespaces')");
}

int leave_network_namespace() {
  return ::unshare(CLONE_NEWNET) == 0 ? 0 : errno;
}

Result<void> join_network_namespace(int pidfd) {
  if (::setns(pidfd, CLONE_NEWNET) == 0) return {};
  return Error::from_errno(errno, "cannot join the VM's network namespace");
}

}  // namespace mote::jail
