// SPDX-License-Identifier: Apache-2.0
// Cgroup: a control group of a VM's own, in every tree that its limits take.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"
#include "jail/cgroup/directory.hpp"
#include "jail/cgroup/hierarchy.hpp"
#include "jail/cgroup/limits.hpp"
#include "jail/cgroup/unified_parent.hpp"

namespace mote::jail {

/// Where a group goes.
struct CgroupPlace {
  std::string parent;  ///< "/a/b", from the root of each tree, and there; empty: the caller's own
  std::string name;    ///< one component of a path
};

class Cgroup {
 public:
  /// Makes the group and sets its limits; nobody is in it yet. What fails leaves nothing behind.
  /// `ours` are processes that may be moved to clear the way (`find_unified_parent`).
  static Result<Cgroup> create(std::span<const CgroupHierarchy> hierarchies,
                               const CgroupPlace& place, const CgroupLimits& limits,
                               std::span<const pid_t> ours);

  /// Opens what `add_process` takes, one per tree.
  Result<std::vector<UniqueFd>> open_entries() const;

  /// Ends every process in the group, waits until it is empty, for at most `patience_ms`, and
  /// removes it. Works by held descriptors. May be called again after an Error.
  Result<void> remove(u32 patience_ms) const;

 private:
  explicit Cgroup(std::string name) : name_(std::move(name)) {}
  Result<void> make(std::span<const CgroupHierarchy> hierarchies, const CgroupPlace& place,
                    std::vector<CgroupController> left, std::span<const pid_t> ours);
  Result<void> make_in(const CgroupHierarchy& hierarchy, const CgroupPlace& place,
                       std::span<const CgroupController> controllers, std::span<const pid_t> ours);

  std::string name_;
  std::vector<CgroupDirectory> parents_;  // one per tree
  std::optional<CgroupLeaf> leaf_;
};

}  // namespace mote::jail
