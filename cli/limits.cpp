// SPDX-License-Identifier: Apache-2.0
#include "cli/limits.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string>

#include "core/fd.hpp"
#include "core/text.hpp"
#include "jail/cgroup/files.hpp"
#include "jail/cgroup/limits.hpp"

namespace mote {
namespace {

bool has_rates(const LimitsConfig& limits) {
  return limits.read_bandwidth || limits.write_bandwidth || limits.read_operations ||
         limits.write_operations;
}

/// "254:3" as the kernel writes a device.
std::optional<dev_t> parse_device(const std::string& text) {
  const char* const end = text.data() + text.size();
  unsigned number[2] = {};
  const auto colon = std::from_chars(text.data(), end, number[0]).ptr;
  if (colon == end || *colon != ':') return std::nullopt;
  if (std::from_chars(colon + 1, end, number[1]).ec != std::errc{}) return std::nullopt;
  return makedev(number[0], number[1]);
}

Result<std::vector<dev_t>> disks_of(const VmConfig& config) {
  std::vector<dev_t> disks;
  for (const BlockConfig& block : config.blocks) {
    const dev_t disk = TRY(disk_of(block.path));
    if (std::find(disks.begin(), disks.end(), disk) == disks.end()) disks.push_back(disk);
  }
  return disks;
}

Result<jail::CgroupLimits> limits_of(const VmConfig& config) {
  const LimitsConfig& given = config.limits;
  jail::CgroupLimits limits{.cpu_milli = given.cpu,
                            .cpu_weight = given.cpu_weight,
                            .memory = given.memory_bytes,
                            .pids = given.pids,
                            .read = {given.read_bandwidth, given.read_operations},
                            .write = {given.write_bandwidth, given.write_operations}};
  if (has_rates(given)) limits.devices = TRY(disks_of(config));
  return limits;
}

}  // namespace

Result<dev_t> disk_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    return Error::from_errno(errno, "cannot find the disk below '" + path + "'");
  }
  const bool is_device = S_ISBLK(status.st_mode);
  const dev_t device = is_device ? status.st_rdev : status.st_dev;
  if (!is_device && major(device) == 0) {
    return Error::config(
        "cannot limit the I/O of '" + path +
        "': its file system (btrfs, overlayfs, tmpfs, a network's) is on no one disk that the "
        "kernel could limit -- use the disk's bandwidth and operations instead");
  }
  const std::string folder = format("/sys/dev/block/%u:%u", major(device), minor(device));
  if (::access((folder + "/partition").c_str(), F_OK) != 0) return device;
  const auto whole = jail::read_file_at(-1, folder + "/../dev");
  const auto parsed = whole ? parse_device(*whole) : std::nullopt;
  return parsed.value_or(device);
}

Result<std::optional<jail::GuardedCgroup>> apply_limits(const VmConfig& config) {
  const jail::CgroupLimits limits = TRY(limits_of(config));
  if (jail::cgroup_controllers(limits).empty()) return std::optional<jail::GuardedCgroup>();
  const jail::CgroupPlace place{
      .parent = config.limits.parent,
      .name = config.limits.group.empty() ? format("mote-%d", ::getpid()) : config.limits.group};
  const auto hierarchies = TRY(jail::find_cgroup_hierarchies());
  auto group = jail::GuardedCgroup::start(hierarchies, place, limits);
  if (!group) return std::move(group).error().within("limits");
  return std::optional(*std::move(group));
}

}  // namespace mote
