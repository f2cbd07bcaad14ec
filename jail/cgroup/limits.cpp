// SPDX-License-Identifier: Apache-2.0
#include "jail/cgroup/limits.hpp"

#include <sys/sysmacros.h>

#include <algorithm>

#include "core/text.hpp"

namespace mote::jail {
namespace {

constexpr u32 kPeriodUs = 100'000;

std::string number(u64 value) {
  return std::to_string(value);
}

CgroupController cpu(const CgroupLimits& limits) {
  CgroupController cpu{.v1 = "cpu", .v2 = "cpu"};
  if (limits.cpu_milli) {
    const u64 quota = u64{*limits.cpu_milli} * kPeriodUs / 1000;
    cpu.v1_settings.push_back({"cpu.cfs_period_us", number(kPeriodUs)});
    cpu.v1_settings.push_back({"cpu.cfs_quota_us", number(quota)});
    cpu.v2_settings.push_back({"cpu.max", number(quota) + " " + number(kPeriodUs)});
  }
  if (limits.cpu_weight) {
    // What 100 of v2 stands for is 1024 in v1.
    const u64 shares = std::max<u64>(u64{*limits.cpu_weight} * 1024 / 100, 2);
    cpu.v1_settings.push_back({"cpu.shares", number(shares)});
    cpu.v2_settings.push_back({"cpu.weight", number(*limits.cpu_weight)});
  }
  return cpu;
}

CgroupController memory(u64 bytes) {
  return {.v1 = "memory",
          .v2 = "memory",
          .v1_settings = {{"memory.limit_in_bytes", number(bytes)}},
          .v2_settings = {{"memory.max", number(bytes)}}};
}

CgroupController pids(u32 count) {
  const CgroupSetting setting{"pids.max", number(count)};
  return {.v1 = "pids", .v2 = "pids", .v1_settings = {setting}, .v2_settings = {setting}};
}

CgroupController io(const CgroupLimits& limits) {
  struct Rate {
    const char* v1;
    const char* v2;
    const std::optional<u64>& value;
  };
  const Rate rates[] = {
      {"blkio.throttle.read_bps_device", "rbps", limits.read.bytes},
      {"blkio.throttle.write_bps_device", "wbps", limits.write.bytes},
      {"blkio.throttle.read_iops_device", "riops", limits.read.operations},
      {"blkio.throttle.write_iops_device", "wiops", limits.write.operations},
  };
  CgroupController io{.v1 = "blkio", .v2 = "io"};
  for (const dev_t device : limits.devices) {
    const std::string name = format("%u:%u", major(device), minor(device));
    std::string all = name;
    for (const Rate& rate : rates) {
      if (!rate.value) continue;
      io.v1_settings.push_back({rate.v1, name + " " + number(*rate.value)});
      all += std::string(" ") + rate.v2 + "=" + number(*rate.value);
    }
    if (all != name) io.v2_settings.push_back({"io.max", all});
  }
  return io;
}

}  // namespace

std::vector<CgroupController> cgroup_controllers(const CgroupLimits& limits) {
  std::vector<CgroupController> controllers;
  if (limits.cpu_milli || limits.cpu_weight) controllers.push_back(cpu(limits));
  if (limits.memory) controllers.push_back(memory(*limits.memory));
  if (limits.pids) controllers.push_back(pids(*limits.pids));
  CgroupController disks = io(limits);
  if (!disks.v2_settings.empty()) controllers.push_back(std::move(disks));
  return controllers;
}

}  // namespace mote::jail
