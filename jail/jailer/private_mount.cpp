// SPDX-License-Identifier: Apache-2.0
#include "jail/jailer/private_mount.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <optional>
#include <vector>

#include "core/types.hpp"
#include "jail/cgroup/files.hpp"
#include "jail/words.hpp"

namespace mote::jailer {
namespace {

// Linux 6.8; newer than the C library's headers.
constexpr long kStatmount = 457;
constexpr unsigned kStatxUniqueMountId = 0x4000;
constexpr u64 kMountBasics = 2;

struct StatmountRequest {
  u32 size;
  u32 spare;
  u64 mount_id;
  u64 wanted;
};

/// The start of the kernel's struct statmount.
struct Statmount {
  u32 size;
  u32 options;
  u64 mask;
  u32 device_major;
  u32 device_minor;
  u64 magic;
  u32 flags;
  u32 type;
  u64 id;
  u64 parent_id;
  u32 old_id;
  u32 old_parent_id;
  u64 attributes;
  u64 propagation;  // MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE
  u64 peer_group;
  u64 master;
  u64 rest[64];
};
static_assert(offsetof(Statmount, peer_group) == 80);

std::optional<u64> mount_id(const std::string& path, unsigned kind) {
  struct statx status{};
  if (::statx(AT_FDCWD, path.c_str(), 0, kind, &status) != 0 || (status.stx_mask & kind) == 0) {
    return std::nullopt;
  }
  return status.stx_mnt_id;
}

/// By one call, where the kernel has it: the list of mounts may be long.
std::optional<bool> ask_kernel(const std::string& path) {
  const auto id = mount_id(path, kStatxUniqueMountId);
  if (!id) return std::nullopt;
  const StatmountRequest request{
      .size = sizeof(request), .spare = 0, .mount_id = *id, .wanted = kMountBasics};
  Statmount mount{};
  if (::syscall(kStatmount, &request, &mount, sizeof(mount), 0) != 0 ||
      (mount.mask & kMountBasics) == 0) {
    return std::nullopt;
  }
  return mount.peer_group == 0 && mount.master == 0;
}

bool search_list(const std::string& path) {
  const auto id = mount_id(path, STATX_MNT_ID);
  const auto mounts = jail::read_file_at(AT_FDCWD, "/proc/self/mountinfo");
  if (!id || !mounts) return false;
  const std::string wanted = std::to_string(*id);
  for (const std::string_view line : jail::split(*mounts, '\n')) {
    const std::vector<std::string_view> words = jail::split(line, ' ');
    // Optional fields ("shared:1", "master:1") stand before the dash.
    if (words.size() > 6 && words[0] == wanted) return words[6] == "-";
  }
  return false;
}

}  // namespace

bool is_on_private_mount(const std::string& path) {
  const std::optional<bool> answer = ask_kernel(path);
  return answer ? *answer : search_list(path);
}

}  // namespace mote::jailer
