// SPDX-License-Identifier: Apache-2.0
// Files of the host, of other processes and of other VMs, by their paths.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/text.hpp"
#include "tests/acts/act.hpp"

namespace mote::acts {
namespace {

long open_file(const std::string& path, int flags) {
  return call(SYS_openat, AT_FDCWD, path.c_str(), flags, 0600);
}

long open_proc(pid_t process, const char* name, int flags) {
  return open_file(format("/proc/%d/%s", process, name), flags);
}

/// By the file's handle, which needs no path that leads to it.
long open_by_handle() {
  constexpr unsigned kMost = 128;
  struct {
    unsigned size = kMost;
    int type = 0;
    unsigned char handle[kMost];
  } file;
  int mount = 0;
  if (call(SYS_name_to_handle_at, AT_FDCWD, ".", &file, &mount, 0) < 0) return -1;
  return call(SYS_open_by_handle_at, AT_FDCWD, &file, O_RDONLY);
}

constexpr Act kActs[] = {
    {"host_file", "openat", Wall::kRoot,
     [](const Target&) { return open_file("/etc/passwd", O_RDONLY); }},
    {"host_file_by_open", "open", Wall::kRoot,
     [](const Target&) { return call(SYS_open, "/etc/passwd", O_RDONLY); }},
    {"host_file_by_openat2", "openat2", Wall::kRoot,
     [](const Target&) {
       const u64 how[3] = {O_RDONLY, 0, 0};
       return call(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how));
     }},
    {"own_mappings", "openat", Wall::kRoot,
     [](const Target&) { return open_file("/proc/self/maps", O_RDONLY); }},
    {"kvm_device", "openat", Wall::kRoot,
     [](const Target&) { return open_file("/dev/kvm", O_RDWR); }},
    {"disk_of_another", "openat", Wall::kRoot,
     [](const Target& target) { return open_file(target.folder + "/disk", O_RDWR); }},
    {"memory_file_of_another", "openat", Wall::kRoot,
     [](const Target& target) { return open_proc(target.process, "mem", O_RDWR); }},
    {"root_of_another", "openat", Wall::kRoot,
     [](const Target& target) { return open_proc(target.process, "root", O_RDONLY); }},
    {"new_file", "openat", Wall::kRoot,
     [](const Target&) { return open_file("made", O_WRONLY | O_CREAT | O_EXCL); }},
    {"new_file_without_name", "openat", Wall::kRoot,
     [](const Target&) { return open_file(".", O_WRONLY | O_TMPFILE); }},
    {"new_folder", "mkdir", Wall::kRoot,
     [](const Target&) { return call(SYS_mkdir, "made", 0700); }},
    {"new_link", "symlink", Wall::kRoot,
     [](const Target&) { return call(SYS_symlink, "/etc", "made"); }},
    {"new_pipe", "mknod", Wall::kRoot,
     [](const Target&) { return call(SYS_mknod, "made", S_IFIFO | 0600, 0); }},
    {"remove", "unlink", Wall::kRoot, [](const Target&) { return call(SYS_unlink, "expendable"); }},
    {"rename", "rename", Wall::kRoot,
     [](const Target&) { return call(SYS_rename, "expendable", "made"); }},
    {"change_mode", "chmod", Wall::kRoot, [](const Target&) { return call(SYS_chmod, ".", 0777); }},
    {"change_owner", "chown", Wall::kRoot,
     [](const Target&) { return call(SYS_chown, ".", 4321, 4321); }},
    {"change_size", "truncate", Wall::kRoot,
     [](const Target&) { return call(SYS_truncate, "expendable", 0); }},
    {"open_by_handle", "name_to_handle_at open_by_handle_at", Wall::kPrivileges,
     [](const Target&) { return open_by_handle(); }},
};

}  // namespace

std::span<const Act> file_acts() {
  return kActs;
}

}  // namespace mote::acts
