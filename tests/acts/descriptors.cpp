// SPDX-License-Identifier: Apache-2.0
// What descriptors give that the thread has, or that were left open by whoever started Mote.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <chrono>

#include "tests/acts/act.hpp"

namespace mote::acts {
namespace {

using jail::roles;

/// The first success of a call over all descriptors; the last refusal that says more than that
/// there is none of that number.
long by_any_descriptor(long (*act)(int fd)) {
  int refusal = EBADF;
  for (int fd = 0; fd < 1024; ++fd) {
    const long answer = act(fd);
    if (answer >= 0) return answer;
    if (errno != EBADF) refusal = errno;
  }
  errno = refusal;
  return -1;
}

long enter_and_be_root(int fd) {
  return call(SYS_fchdir, fd) < 0 ? -1 : call(SYS_chroot, ".");
}

long remove_by_any(const Target& target) {
  static std::string path;
  path = "../../../../.." + target.folder + "/work/expendable";
  return by_any_descriptor([](int fd) { return call(SYS_unlinkat, fd, path.c_str(), 0); });
}

/// By a descriptor of a device: a vCPU's would have us wait until it stops.
long make_vm() {
  constexpr int kNone = -1;
  call(SYS_ioctl, kNone, KVM_CREATE_VM, 0);
  return by_any_descriptor([](int fd) {
    struct stat file{};
    if (call(SYS_fstat, fd, &file) < 0) return -1L;
    return S_ISCHR(file.st_mode) ? call(SYS_ioctl, fd, KVM_CREATE_VM, 0) : -1L;
  });
}

/// A ring takes orders until its loop begins to serve, which the guest waits for; so does this. Not
/// for ever: the kernel has 65,536 numbers of this kind for a ring and gives none twice in a row.
long order_ring() {
  constexpr int kMostTries = 20'000;
  int tries = 0;
  using std::chrono::steady_clock;
  const auto end = steady_clock::now() + std::chrono::milliseconds(500);
  long answer = 0;
  do {
    answer = by_any_descriptor([](int fd) {
      const long id = call(SYS_io_uring_register, fd, IORING_REGISTER_PERSONALITY, nullptr, 0);
      if (id >= 0) call(SYS_io_uring_register, fd, IORING_UNREGISTER_PERSONALITY, nullptr, id);
      return id;
    });
  } while (answer >= 0 && ++tries < kMostTries && steady_clock::now() < end);
  return answer;
}

constexpr Act kActs[] = {
    {"leave_root", "openat", Wall::kDescriptors,
     [](const Target&) {
       return by_any_descriptor([](int fd) { return call(SYS_openat, fd, "..", O_PATH); });
     },
     roles(ThreadRole::kApi)},
    {"leave_root_from_its_folder", "openat", Wall::kRoot,
     [](const Target&) {
       return call(SYS_openat, AT_FDCWD, "../../../../../etc/passwd", O_RDONLY);
     },
     roles(ThreadRole::kApi)},
    {"look_out_of_root", "newfstatat", Wall::kDescriptors,
     [](const Target&) {
       return by_any_descriptor([](int fd) {
         struct stat file{};
         return call(SYS_newfstatat, fd, "../../../../../etc/passwd", &file, 0);
       });
     },
     roles(ThreadRole::kApi, ThreadRole::kSupervisor)},
    {"remove_out_of_root", "unlinkat", Wall::kDescriptors, &remove_by_any,
     roles(ThreadRole::kApi, ThreadRole::kSupervisor)},
    {"enter_left_folder", "fchdir", Wall::kDescriptors,
     [](const Target&) { return by_any_descriptor([](int fd) { return call(SYS_fchdir, fd); }); }},
    {"make_left_folder_root", "fchdir", Wall::kDescriptors,
     [](const Target&) { return by_any_descriptor(&enter_and_be_root); }},
    {"execute_open_file", "mmap", Wall::kFilterAlone,
     [](const Target&) {
       return by_any_descriptor([](int fd) {
         return call(SYS_mmap, nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
       });
     }},
    {"change_mode_of_open_file", "fchmod", Wall::kFilterAlone,
     [](const Target&) {
       return by_any_descriptor([](int fd) { return call(SYS_fchmod, fd, 0600); });
     }},
    {"change_size_of_open_file", "ftruncate", Wall::kFilterAlone,
     [](const Target&) {
       return by_any_descriptor([](int fd) { return call(SYS_ftruncate, fd, 0); });
     }},
    {"type_into_terminal", "ioctl", Wall::kFilterAlone,
     [](const Target&) { return call(SYS_ioctl, 0, TIOCSTI, "x"); }, 0, 0, true},
    // A loop's thread may still be asking /dev/kvm for CPUID when a start begins.
    {"new_vm", "ioctl", Wall::kDescriptors, [](const Target&) { return make_vm(); }, 0,
     roles(ThreadRole::kStart)},
    {"order_ring", "io_uring_register", Wall::kRing, [](const Target&) { return order_ring(); }, 0,
     roles(ThreadRole::kStart, ThreadRole::kApi)},
};

}  // namespace

std::span<const Act> descriptor_acts() {
  return kActs;
}

}  // namespace mote::acts
