// SPDX-License-Identifier: Apache-2.0
// Files of the host, of other processes and of other VMs, by their paths.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "core/text.hpp"
#include "tests/acts/act.hpp"

namespace mote::acts {
namespace {

/// What the thread may do that serves the API, in folders that the VM was given.
constexpr jail::RoleSet kOpens = jail::roles(ThreadRole::kApi);
/// Who removes the API's socket.
constexpr jail::RoleSet kRemoves = jail::roles(ThreadRole::kApi, ThreadRole::kSupervisor);

long open_file(const std::string& path, int flags) {
  return call(SYS_openat, AT_FDCWD, path.c_str(), flags, 0600);
}

long open_proc(pid_t process, const char* name, int flags) {
  return open_file(format("/proc/%d/%s", process, name), flags);
}

long open_shown(const Target& target, const char* name, int flags) {
  return open_file(target.folder + "/shown/" + name, flags);
}

long look_at(const std::string& path) {
  struct stat file{};
  return call(SYS_newfstatat, AT_FDCWD, path.c_str(), &file, 0);
}

long look_at_by_statx(const std::string& path) {
  struct statx file{};
  return call(SYS_statx, AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, &file);
}

long remove(const std::string& path, int flags) {
  return call(SYS_unlinkat, AT_FDCWD, path.c_str(), flags);
}

/// By a descriptor of the folder.
long leave_opened_folder(const Target& target) {
  const long shown = open_file(target.folder + "/shown", O_PATH | O_DIRECTORY);
  if (shown < 0) return -1;
  const long disk = call(SYS_openat, shown, "../disk", O_RDWR);
  const int refusal = errno;
  call(SYS_close, shown);  // what others find open is not to be of our making
  errno = refusal;
  return disk;
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
     [](const Target&) { return open_file("/etc/passwd", O_RDONLY); }, kOpens},
    {"host_file_by_open", "open", Wall::kRoot,
     [](const Target&) { return call(SYS_open, "/etc/passwd", O_RDONLY); }},
    {"host_file_by_openat2", "openat2", Wall::kRoot,
     [](const Target&) {
       const u64 how[3] = {O_RDONLY, 0, 0};
       return call(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how));
     }},
    {"own_mappings", "openat", Wall::kRoot,
     [](const Target&) { return open_file("/proc/self/maps", O_RDONLY); }, kOpens},
    {"kvm_device", "openat", Wall::kRoot,
     [](const Target&) { return open_file("/dev/kvm", O_RDWR); }, kOpens},
    {"disk_of_another", "openat", Wall::kRoot,
     [](const Target& target) { return open_file(target.folder + "/disk", O_RDWR); }, kOpens},
    {"memory_file_of_another", "openat", Wall::kRoot,
     [](const Target& target) { return open_proc(target.process, "mem", O_RDWR); }, kOpens},
    {"root_of_another", "openat", Wall::kRoot,
     [](const Target& target) { return open_proc(target.process, "root", O_RDONLY); }, kOpens},
    {"new_file", "openat", Wall::kRoot,
     [](const Target&) { return open_file("made", O_WRONLY | O_CREAT | O_EXCL); }, kOpens},
    {"new_file_without_name", "openat", Wall::kRoot,
     [](const Target&) { return open_file(".", O_WRONLY | O_TMPFILE); }, kOpens},
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
    {"look_at_host_file", "newfstatat", Wall::kRoot,
     [](const Target&) { return look_at("/etc/passwd"); }, kRemoves},
    {"look_at_disk_of_another", "newfstatat", Wall::kRoot,
     [](const Target& target) { return look_at(target.folder + "/shown/../disk"); }, kRemoves},
    {"look_at_host_file_by_statx", "statx", Wall::kRoot,
     [](const Target&) { return look_at_by_statx("/etc/passwd"); }, kOpens},
    {"remove_by_path", "unlinkat", Wall::kRoot,
     [](const Target& target) { return remove(target.folder + "/work/expendable", 0); }, kRemoves},
    {"remove_beside_shown", "unlinkat", Wall::kRoot,
     [](const Target& target) { return remove(target.folder + "/shown/../work/expendable", 0); },
     kRemoves},
    {"remove_folder", "unlinkat", Wall::kRoot,
     [](const Target& target) { return remove(target.folder + "/work/empty", AT_REMOVEDIR); },
     kRemoves},
    {"new_file_beside_shown", "openat", Wall::kRoot,
     [](const Target& target) { return open_file(target.folder + "/made", O_WRONLY | O_CREAT); },
     kOpens},
    {"leave_shown", "openat", Wall::kRoot,
     [](const Target& target) { return open_shown(target, "../disk", O_RDWR); }, kOpens},
    {"leave_opened_shown", "openat", Wall::kRoot, &leave_opened_folder, kOpens},
    {"follow_path_out_of_shown", "openat", Wall::kRoot,
     [](const Target& target) { return open_shown(target, "path", O_RDWR); }, kOpens},
    {"follow_steps_out_of_shown", "openat", Wall::kRoot,
     [](const Target& target) { return open_shown(target, "steps", O_RDWR); }, kOpens},
    {"new_device_in_shown", "mknod", Wall::kPrivileges,
     [](const Target& target) {
       const std::string path = target.folder + "/shown/device";
       return call(SYS_mknod, path.c_str(), S_IFCHR | 0600, makedev(1, 3));
     }},
    {"new_folder_in_shown", "mkdir", Wall::kLandlock,
     [](const Target& target) {
       return call(SYS_mkdir, (target.folder + "/shown/folder").c_str(), 0700);
     }},
    {"new_link_in_shown", "symlink", Wall::kLandlock,
     [](const Target& target) {
       return call(SYS_symlink, "/etc", (target.folder + "/shown/link").c_str());
     }},
    {"remove_in_shown", "unlinkat", Wall::kLandlock,
     [](const Target& target) { return remove(target.folder + "/shown/expendable", 0); }, kRemoves},
    {"open_in_shown", "openat", Wall::kRoot,
     [](const Target& target) { return open_shown(target, "image", O_RDWR); }, 0, 0, false, kOpens},
    {"new_file_in_shown", "openat", Wall::kRoot,
     [](const Target& target) { return open_shown(target, "made", O_WRONLY | O_CREAT); }, 0, 0,
     false, kOpens},
    {"open_by_handle", "name_to_handle_at open_by_handle_at", Wall::kPrivileges,
     [](const Target&) { return open_by_handle(); }},
};

}  // namespace

std::span<const Act> file_acts() {
  return kActs;
}

}  // namespace mote::acts
