// SPDX-License-Identifier: Apache-2.0
#include "jail/empty_root.hpp"

#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/fd.hpp"

namespace mote::jail {
namespace {

Error failed(const char* step) {
  return Error::from_errno(errno, std::string("cannot make an empty root for the VM: ") + step,
                           "it takes Linux 5.2 with tmpfs, and an AppArmor or SELinux profile that "
                           "lets Mote mount; or do without: --no-sandbox");
}

int call(long result) {
  return static_cast<int>(result);
}

}  // namespace

Result<UniqueFd> make_empty_root() {
  const UniqueFd context(call(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC)));
  if (!context) return failed("fsopen");
  if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, "mode", "0555", 0) != 0 ||
      ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return failed("fsconfig");
  }
  UniqueFd root(call(
      ::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC,
                MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)));
  if (!root) return failed("fsmount");
  return root;
}

Result<void> enter_empty_root(const UniqueFd& root) {
  if (::fchdir(root.get()) != 0) return failed("fchdir");
  if (::chroot(".") != 0) return failed("chroot");
  return {};
}

}  // namespace mote::jail
