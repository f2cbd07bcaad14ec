// SPDX-License-Identifier: Apache-2.0
#include "jail/jailer/jail_root.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>

#include "core/fd.hpp"
#include "jail/cgroup/files.hpp"
#include "jail/jailer/os_error.hpp"
#include "jail/words.hpp"

namespace mote::jailer {
namespace {

Result<void> enter_detached(const std::string& folder) {
  const UniqueFd tree(
      static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, folder.c_str(),
                                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)));
  if (!tree) return os_error("Failed to bind mount the jail root directory", errno);
  if (::fchdir(tree.get()) != 0 || ::chroot(".") != 0) {
    return os_error("Failed to chdir into chroot directory", errno);
  }
  return {};
}

Result<void> pivot(const std::string& folder) {
  if (::unshare(CLONE_NEWNS) != 0) {
    return os_error("Failed to unshare into new mount namespace", errno);
  }
  // Mounts of the host come in, none of ours goes out.
  if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) {
    return os_error("Failed to change the propagation type to slave", errno);
  }
  // A root has to be a mount.
  if (::mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return os_error("Failed to bind mount the jail root directory", errno);
  }
  if (::chdir(folder.c_str()) != 0) return os_error("Failed to change current directory", errno);
  // The old root is put on top of the new one and taken away from there: it needs no folder.
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return os_error("Failed to pivot root", errno);
  if (::umount2(".", MNT_DETACH) != 0) {
    return os_error("Failed to unmount the old jail root", errno);
  }
  if (::chdir("/") != 0) return os_error("Failed to chdir into chroot directory", errno);
  return {};
}

struct Device {
  const char* path;
  u32 major;
  u32 minor;
};

Result<void> own(const char* path, uid_t uid, gid_t gid) {
  if (::chown(path, uid, gid) == 0) return {};
  return os_error("Failed to change owner for " + std::string(path), errno);
}

Result<void> make_device(const Device& device, uid_t uid, gid_t gid) {
  if (::mknod(device.path, S_IFCHR | 0600, makedev(device.major, device.minor)) != 0) {
    return os_error("Failed to create " + std::string(device.path) + " via mknod inside the jail",
                    errno);
  }
  return own(device.path, uid, gid);
}

}  // namespace

Result<void> enter_jail_root(const std::string& folder, bool detached) {
  return detached ? enter_detached(folder) : pivot(folder);
}

Result<void> fill_jail(uid_t uid, gid_t gid, std::optional<u32> userfaultfd) {
  for (const char* folder : {"/", "/dev", "/dev/net", "/run"}) {
    if (::mkdir(folder, 0700) != 0 && errno != EEXIST) {
      return os_error("Failed to create directory " + std::string(folder), errno);
    }
    if (::chmod(folder, 0700) != 0) {
      return os_error("Failed to change permissions on " + std::string(folder), errno);
    }
    TRY(own(folder, uid, gid));
  }
  TRY(make_device({"/dev/net/tun", 10, 200}, uid, gid));
  TRY(make_device({"/dev/kvm", 10, 232}, uid, gid));
  const auto random = make_device({"/dev/urandom", 1, 9}, uid, gid);
  if (!random) std::fprintf(stderr, "Warning! %s.\n", random.error().message().c_str());
  if (userfaultfd) TRY(make_device({"/dev/userfaultfd", 10, *userfaultfd}, uid, gid));
  return {};
}

std::optional<u32> misc_minor(std::string_view name) {
  const auto devices = jail::read_file_at(AT_FDCWD, "/proc/misc");
  if (!devices) return std::nullopt;
  for (const std::string_view line : jail::split(*devices, '\n')) {
    const std::vector<std::string_view> words = jail::split(line, ' ');
    u32 number = 0;
    if (words.size() != 2 || words[1] != name) continue;
    const auto [rest, error] =
        std::from_chars(words[0].data(), words[0].data() + words[0].size(), number);
    if (error == std::errc{}) return number;
  }
  return std::nullopt;
}

}  // namespace mote::jailer
