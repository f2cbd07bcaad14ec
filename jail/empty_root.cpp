// SPDX-License-Identifier: Apache-2.0
#include "jail/empty_root.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/fd.hpp"
#include "core/types.hpp"

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

/// Of the VM's file systems: none gives privileges or programs.
constexpr u64 kHarmless = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;

Result<UniqueFd> make_tmpfs(const char* mode, u64 attributes) {
  const UniqueFd context(call(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC)));
  if (!context) return failed("fsopen");
  if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, "mode", mode, 0) != 0 ||
      ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return failed("fsconfig");
  }
  UniqueFd root(
      call(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, kHarmless | attributes)));
  if (!root) return failed("fsmount");
  return root;
}

bool set_attributes(const UniqueFd& mount, unsigned flags, u64 attributes) {
  mount_attr set{};
  set.attr_set = attributes;
  set.propagation = MS_PRIVATE;  // what the host mounts there later would have none of them
  return ::syscall(SYS_mount_setattr, mount.get(), "", AT_EMPTY_PATH | flags, &set, sizeof(set)) ==
         0;
}

Error cannot_show(const std::string& path, const char* step) {
  return Error::from_errno(errno, "cannot show folder '" + path + "' to the VM's process: " + step,
                           "it takes Linux 5.12; or pass descriptors, or do without: --no-sandbox");
}

/// Makes the folders on the way to `path`, below `root`.
bool make_way(const UniqueFd& root, const std::string& path) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (!part.empty() && ::mkdirat(root.get(), part.c_str(), 0555) != 0 && errno != EEXIST) {
      return false;
    }
    if (end == std::string::npos) return true;
  }
}

Result<void> attach(const SharedFolder& folder, const UniqueFd& root) {
  const std::string inside = folder.path.substr(1);
  if (!make_way(root, inside)) return cannot_show(folder.path, "mkdir");
  if (::syscall(SYS_move_mount, folder.tree.get(), "", root.get(), inside.c_str(),
                MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return cannot_show(folder.path, "move_mount");
  }
  return {};
}

}  // namespace

Result<UniqueFd> make_empty_root() {
  return make_tmpfs("0555", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
}

UniqueFd hold_folder(const std::string& path) {
  return UniqueFd(call(::syscall(SYS_open_tree, AT_FDCWD, path.c_str(),
                                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)));
}

Result<SharedFolder> take_folder(const std::string& path) {
  UniqueFd tree = hold_folder(path);
  if (!tree) return cannot_show(path, "open_tree");
  struct stat status{};
  if (::fstat(tree.get(), &status) != 0) return cannot_show(path, "fstat");
  if (!S_ISDIR(status.st_mode)) {
    return Error::config("cannot show '" + path + "' to the VM's process: it is no folder");
  }
  if (!set_attributes(tree, AT_RECURSIVE, kHarmless)) return cannot_show(path, "mount_setattr");
  return SharedFolder{.path = path, .tree = std::move(tree)};
}

Result<UniqueFd> make_root_with(std::span<const SharedFolder> folders) {
  const UniqueFd root = TRY(make_tmpfs("0755", MOUNT_ATTR_NODEV));
  // What is mounted here is to be seen nowhere else.
  if (::syscall(SYS_mount, nullptr, "/", nullptr, MS_PRIVATE, nullptr) != 0)
    return failed("MS_PRIVATE");
  if (::syscall(SYS_move_mount, root.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return failed("move_mount");
  }
  // WHY not the root itself: whose root is that of the mount namespace may make user namespaces,
  // and whoever is in a chroot may not.
  constexpr char kInside[] = "vm";
  if (::mkdirat(root.get(), kInside, 0555) != 0) return failed("mkdir");
  UniqueFd inside(::openat(root.get(), kInside, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!inside) return failed("open");
  for (const SharedFolder& folder : folders) TRY(attach(folder, inside));
  if (!set_attributes(root, 0, MOUNT_ATTR_RDONLY)) return failed("mount_setattr");
  return inside;
}

Result<void> enter_empty_root(const UniqueFd& root) {
  if (::fchdir(root.get()) != 0) return failed("fchdir");
  if (::chroot(".") != 0) return failed("chroot");
  return {};
}

}  // namespace mote::jail
