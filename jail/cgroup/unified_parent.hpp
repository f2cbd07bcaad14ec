// SPDX-License-Identifier: Apache-2.0
// Where a group can be made in the tree of v2. There, a group that has processes of its own cannot
// hand controllers down to groups below it [cgroup-v2: "No Internal Process Constraint"].
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "jail/cgroup/directory.hpp"
#include "jail/cgroup/hierarchy.hpp"

namespace mote::jail {

/// A group to which processes of ours have moved, to clear the one above it.
struct CgroupLeaf {
  CgroupDirectory above;
  std::string name;
  std::string enabled;  ///< what was written to `above`'s cgroup.subtree_control

  /// Moves them back and removes the leaf, as far as that can be done.
  void undo() const;
};

struct UnifiedParent {
  CgroupDirectory directory;
  std::optional<CgroupLeaf> leaf;
};

/// A group whose children have `controllers`: enables them in it and in the groups above.
///
/// `parent` ("/a/b") is the one; when it is empty this process's own group is tried. If that has
/// processes, and all of them are in `ours`, they move into a group `leaf_name` below it. Otherwise
/// it is the nearest group above where it can be done.
Result<UnifiedParent> find_unified_parent(const CgroupHierarchy& hierarchy,
                                          const std::string& parent,
                                          std::span<const std::string_view> controllers,
                                          std::span<const pid_t> ours,
                                          const std::string& leaf_name);

/// Enables `controllers` in the groups from the tree's root down to `path` (""; "/a/b"), in which
/// they are not enabled yet, and returns the last. EBUSY: a group has processes of its own.
Result<CgroupDirectory> enable_controllers(const CgroupHierarchy& hierarchy, std::string_view path,
                                           std::span<const std::string_view> controllers);

}  // namespace mote::jail
