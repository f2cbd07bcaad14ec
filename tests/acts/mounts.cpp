// SPDX-License-Identifier: Apache-2.0
// Mounts, other roots and other namespaces.
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/syscall.h>

#include "tests/acts/act.hpp"

namespace mote::acts {
namespace {

// What <sys/mount.h> has under names that <linux/mount.h> defines as well.
constexpr unsigned long kBind = 4096;

/// Moves the thread into a namespace of the other process.
long enter_namespace(const Target& target, int kind) {
  const long process = call(SYS_pidfd_open, target.process, 0);
  return process < 0 ? -1 : call(SYS_setns, process, kind);
}

constexpr Act kActs[] = {
    {"mount", "mount", Wall::kPrivileges,
     [](const Target&) { return call(SYS_mount, "none", ".", "tmpfs", 0, nullptr); }},
    {"mount_proc", "mount", Wall::kPrivileges,
     [](const Target&) { return call(SYS_mount, "proc", ".", "proc", 0, nullptr); }},
    {"bind", "mount", Wall::kPrivileges,
     [](const Target&) { return call(SYS_mount, "/", ".", nullptr, kBind, nullptr); }},
    {"unmount", "umount2", Wall::kPrivileges,
     [](const Target&) { return call(SYS_umount2, ".", 2 /* MNT_DETACH */); }},
    {"pivot_root", "pivot_root", Wall::kPrivileges,
     [](const Target&) { return call(SYS_pivot_root, "/", "/"); }, 0, 0, true},
    {"chroot", "chroot", Wall::kPrivileges, [](const Target&) { return call(SYS_chroot, "."); }},
    {"new_file_system", "fsopen", Wall::kPrivileges,
     [](const Target&) { return call(SYS_fsopen, "tmpfs", 0); }},
    {"copy_tree", "open_tree", Wall::kPrivileges,
     [](const Target&) { return call(SYS_open_tree, AT_FDCWD, ".", OPEN_TREE_CLONE); }},
    {"change_mount", "mount_setattr", Wall::kPrivileges,
     [](const Target&) {
       const u64 attributes[4] = {0, MOUNT_ATTR_RDONLY, 0, 0};  // writable
       return call(SYS_mount_setattr, AT_FDCWD, ".", 0, attributes, sizeof(attributes));
     }},
    {"new_user_namespace", "unshare", Wall::kPrivileges,
     [](const Target&) { return call(SYS_unshare, CLONE_NEWUSER); }},
    {"new_mount_namespace", "unshare", Wall::kPrivileges,
     [](const Target&) { return call(SYS_unshare, CLONE_NEWNS); }},
    {"new_network_namespace", "unshare", Wall::kPrivileges,
     [](const Target&) { return call(SYS_unshare, CLONE_NEWNET); }},
    {"other_network_namespace", "pidfd_open", Wall::kNamespaces,
     [](const Target& target) { return enter_namespace(target, CLONE_NEWNET); }},
    {"other_mount_namespace", "pidfd_open", Wall::kNamespaces,
     [](const Target& target) { return enter_namespace(target, CLONE_NEWNS); }},
};

}  // namespace

std::span<const Act> mount_acts() {
  return kActs;
}

}  // namespace mote::acts
