// SPDX-License-Identifier: Apache-2.0
// What a control group may hold its processes to, and the files of v1 and of v2 that say so. Pure.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace mote::jail {

/// Rates of one kind of access to a disk of the host. Empty: no limit.
struct CgroupRates {
  std::optional<u64> bytes;       ///< per second, above 0
  std::optional<u64> operations;  ///< per second, above 0
};

struct CgroupLimits {
  std::optional<u32> cpu_milli;   ///< thousandths of a CPU's time; 10 and up
  std::optional<u32> cpu_weight;  ///< 1 to 10000, where others have 100
  std::optional<u64> memory;      ///< bytes
  std::optional<u32> pids;        ///< processes and threads
  CgroupRates read;               ///< of each of `devices`
  CgroupRates write;
  std::vector<dev_t> devices;  ///< whole disks, each named once
};

/// A file of a group and what is written into it.
struct CgroupSetting {
  std::string file;
  std::string value;
  bool operator==(const CgroupSetting&) const = default;
};

/// A controller and all that it is told.
struct CgroupController {
  std::string_view v1;  ///< its name among the trees of v1
  std::string_view v2;
  std::vector<CgroupSetting> v1_settings;
  std::vector<CgroupSetting> v2_settings;
};

/// The controllers that `limits` takes.
std::vector<CgroupController> cgroup_controllers(const CgroupLimits& limits);

}  // namespace mote::jail
