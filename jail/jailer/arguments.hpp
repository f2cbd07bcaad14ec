// SPDX-License-Identifier: Apache-2.0
// What the jailer is called with: the flags of the Firecracker jailer, and what they mean. Pure.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "core/types.hpp"
#include "jail/cgroup/limits.hpp"

namespace mote::jailer {

/// A flag. Words follow it, never an equals sign.
struct Flag {
  std::string_view name;
  bool takes_value;
  bool may_repeat;
  bool required;
  std::string_view help;
};

/// All flags, in the order of the help.
std::span<const Flag> flags();

struct Arguments {
  bool help = false;     ///< nothing else is read then
  bool version = false;  ///< likewise
  std::string id;
  std::string exec_file;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string chroot_base = "/srv/jailer";
  std::string netns;  ///< empty: none
  bool daemonize = false;
  bool new_pid_ns = false;
  bool detached_root = false;
  std::vector<jail::CgroupSetting> cgroups;  ///< files are "CONTROLLER.NAME"
  u32 cgroup_version = 1;
  std::optional<std::string> parent_cgroup;  ///< relative; none: the name of the program
  std::optional<u64> file_size;              ///< bytes
  u64 descriptors = 2048;
  std::vector<std::string> extra;  ///< for the program, as they are
};

/// Reads the words behind the program's name. Error texts are the Firecracker jailer's.
Result<Arguments> parse_arguments(std::span<const char* const> words);

}  // namespace mote::jailer
