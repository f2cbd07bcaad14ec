// SPDX-License-Identifier: Apache-2.0
// Where the host's control groups are mounted. A host has one tree (v2), one per controller (v1),
// or both, with some controllers in each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace mote::jail {

/// A mounted tree of control groups.
struct CgroupHierarchy {
  bool unified = false;                  ///< v2
  std::string mount;                     ///< where it is mounted
  std::string own;                       ///< this process's group below `mount`: "" or "/a/b"
  std::vector<std::string> controllers;  ///< those that can be used in it

  bool has(std::string_view controller) const;
};

/// The trees that hold a group of this process, in the order of their mounts. `proc` is the
/// process's folder in /proc; tests have another. No tree at all is no Error.
Result<std::vector<CgroupHierarchy>> find_cgroup_hierarchies(
    const std::string& proc = "/proc/self");

/// The same from the text of mountinfo and cgroup (proc(5), cgroups(7)), but without the
/// controllers of v2, which only its root tells. Pure.
std::vector<CgroupHierarchy> parse_cgroup_hierarchies(std::string_view mountinfo,
                                                      std::string_view groups);

}  // namespace mote::jail
