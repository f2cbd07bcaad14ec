// SPDX-License-Identifier: Apache-2.0
#include "jail/cgroup/cgroup.hpp"

#include <algorithm>

namespace mote::jail {
namespace {

constexpr u32 kRollBackMs = 100;

std::string_view name_in(const CgroupHierarchy& hierarchy, const CgroupController& controller) {
  return hierarchy.unified ? controller.v2 : controller.v1;
}

/// The tree that has `controller`: one of v1 that it was given to, else that of v2.
Result<const CgroupHierarchy*> find_tree(std::span<const CgroupHierarchy> hierarchies,
                                         const CgroupController& controller) {
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    if (hierarchy.has(name_in(hierarchy, controller))) return &hierarchy;
  }
  const std::string name(controller.v2);
  if (hierarchies.empty()) {
    return Error::host("cannot limit '" + name +
                       "': no control groups are mounted -- mount -t cgroup2 none /sys/fs/cgroup");
  }
  return Error::host("cannot limit '" + name +
                     "': no mounted tree of control groups has the controller -- leave the limit "
                     "out, or boot the host with it (see /proc/cgroups)");
}

/// The one error that says more than the kernel does.
Error explain(Error error, const CgroupSetting& setting) {
  if (error.errno_value() != ENODEV ||
      !(setting.file == "io.max" || setting.file.starts_with("blkio."))) {
    return error;
  }
  return Error::host(error.message() + " -- the kernel limits whole disks only");
}

}  // namespace

Result<Cgroup> Cgroup::create(std::span<const CgroupHierarchy> hierarchies,
                              const CgroupPlace& place, const CgroupLimits& limits,
                              std::span<const pid_t> ours) {
  Cgroup group(place.name);
  auto made = group.make(hierarchies, place, cgroup_controllers(limits), ours);
  if (made) return group;
  static_cast<void>(group.remove(kRollBackMs));
  return std::move(made).error();
}

Result<void> Cgroup::make(std::span<const CgroupHierarchy> hierarchies, const CgroupPlace& place,
                          std::vector<CgroupController> left, std::span<const pid_t> ours) {
  while (!left.empty()) {
    const CgroupHierarchy* const tree = TRY(find_tree(hierarchies, left.front()));
    const auto rest = std::partition(
        left.begin(), left.end(),
        [&](const CgroupController& controller) { return tree->has(name_in(*tree, controller)); });
    TRY(make_in(*tree, place, std::span(left.begin(), rest), ours));
    left.erase(left.begin(), rest);
  }
  return {};
}

Result<void> Cgroup::make_in(const CgroupHierarchy& hierarchy, const CgroupPlace& place,
                             std::span<const CgroupController> controllers,
                             std::span<const pid_t> ours) {
  std::optional<CgroupDirectory> parent;
  if (hierarchy.unified) {
    std::vector<std::string_view> names;
    names.reserve(controllers.size());
    for (const CgroupController& controller : controllers) names.push_back(controller.v2);
    UnifiedParent found =
        TRY(find_unified_parent(hierarchy, place.parent, names, ours, place.name + "-supervisor"));
    parent = std::move(found.directory);
    leaf_ = std::move(found.leaf);
  } else {
    parent = TRY(CgroupDirectory::open(hierarchy.mount +
                                       (place.parent.empty() ? hierarchy.own : place.parent)));
  }
  const CgroupDirectory made = TRY(parent->make_child(name_));
  parents_.push_back(*std::move(parent));
  for (const CgroupController& controller : controllers) {
    const auto& settings = hierarchy.unified ? controller.v2_settings : controller.v1_settings;
    for (const CgroupSetting& setting : settings) {
      auto written = made.write(setting);
      if (!written) return explain(std::move(written).error(), setting);
    }
  }
  return {};
}

Result<std::vector<UniqueFd>> Cgroup::open_entries() const {
  std::vector<UniqueFd> entries;
  entries.reserve(parents_.size());
  for (const CgroupDirectory& parent : parents_) {
    entries.push_back(TRY(TRY(parent.child(name_)).open_processes()));
  }
  return entries;
}

Result<void> Cgroup::remove(u32 patience_ms) const {
  Result<void> result;
  for (const CgroupDirectory& parent : parents_) {
    Result<void> removed = parent.remove_child(name_, patience_ms);
    if (result && !removed) result = std::move(removed);
  }
  if (leaf_ && result) leaf_->undo();
  return result;
}

}  // namespace mote::jail
