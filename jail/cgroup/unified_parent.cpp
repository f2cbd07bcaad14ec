// SPDX-License-Identifier: Apache-2.0
#include "jail/cgroup/unified_parent.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "jail/words.hpp"

namespace mote::jail {
namespace {

constexpr const char* kSubtreeControl = "cgroup.subtree_control";

bool contains(const std::vector<std::string_view>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// "+cpu +memory": those of `controllers` that `group` does not hand down yet.
Result<std::string> missing(const CgroupDirectory& group,
                            std::span<const std::string_view> controllers) {
  const std::string enabled_text = TRY(group.read(kSubtreeControl));
  const auto enabled = split(enabled_text, ' ');
  std::string text;
  for (const std::string_view controller : controllers) {
    if (contains(enabled, controller)) continue;
    text += (text.empty() ? "+" : " +") + std::string(controller);
  }
  return text;
}

/// The tree's own root may have processes; it is the one group without a type.
Result<bool> is_free(const CgroupDirectory& group) {
  if (!group.has("cgroup.type")) return true;
  return TRY(group.processes()).empty();
}

Error in_use(const CgroupDirectory& group) {
  return Error::from_errno(
      EBUSY,
      "cannot make a control group below '" + group.path() + "', which has processes of its own",
      "start the VM in a group of its own: systemd-run --scope -p "
      "Delegate=yes COMMAND (--user for an ordinary user), or name a parent");
}

Result<void> enable(const CgroupDirectory& group, std::span<const std::string_view> controllers) {
  const std::string text = TRY(missing(group, controllers));
  if (text.empty()) return {};
  // WHY look first: the controllers of threads can be enabled here all the same, and then no
  // process can be put into a group below.
  if (!TRY(is_free(group))) return in_use(group);
  return group.write({kSubtreeControl, text});
}

/// True when every process of `group` is one of `ours`.
Result<bool> is_ours(const CgroupDirectory& group, std::span<const pid_t> ours) {
  const std::vector<pid_t> processes = TRY(group.processes());
  return std::all_of(processes.begin(), processes.end(), [&](pid_t pid) {
    return std::find(ours.begin(), ours.end(), pid) != ours.end();
  });
}

Result<UnifiedParent> clear(CgroupDirectory group, std::span<const std::string_view> controllers,
                            const std::string& leaf_name) {
  const CgroupDirectory made = TRY(group.make_child(leaf_name));
  CgroupLeaf leaf{.above = TRY(CgroupDirectory::open(group.path())),
                  .name = leaf_name,
                  .enabled = TRY(missing(group, controllers))};
  const UniqueFd entry = TRY(made.open_processes());
  for (const pid_t pid : TRY(group.processes())) {
    auto added = add_process(entry, pid);
    if (added) continue;
    leaf.undo();
    return std::move(added).error();
  }
  auto enabled = enable(group, controllers);
  if (!enabled) {
    leaf.undo();
    return std::move(enabled).error();
  }
  return UnifiedParent{std::move(group), std::move(leaf)};
}

}  // namespace

void CgroupLeaf::undo() const {
  // A controller can be taken away only while no group below needs it, and processes can return
  // only when none is handed down. What fails here leaves an empty group, no more.
  std::string disabled = enabled;
  std::replace(disabled.begin(), disabled.end(), '+', '-');
  static_cast<void>(above.write({kSubtreeControl, disabled}));
  const auto leaf = above.child(name);
  const auto entry = above.open_processes();
  if (leaf && entry) {
    const auto processes = leaf->processes();
    for (const pid_t pid : processes ? *processes : std::vector<pid_t>{}) {
      static_cast<void>(add_process(*entry, pid));
    }
  }
  // Never by force: the processes are ours.
  static_cast<void>(::unlinkat(above.fd(), name.c_str(), AT_REMOVEDIR));
}

Result<CgroupDirectory> enable_controllers(const CgroupHierarchy& hierarchy, std::string_view path,
                                           std::span<const std::string_view> controllers) {
  CgroupDirectory group = TRY(CgroupDirectory::open(hierarchy.mount));
  TRY(enable(group, controllers));
  for (const std::string_view name : split(path, '/')) {
    group = TRY(group.child(std::string(name)));
    TRY(enable(group, controllers));
  }
  return group;
}

Result<UnifiedParent> find_unified_parent(const CgroupHierarchy& hierarchy,
                                          const std::string& parent,
                                          std::span<const std::string_view> controllers,
                                          std::span<const pid_t> ours,
                                          const std::string& leaf_name) {
  std::string_view path = parent.empty() ? hierarchy.own : parent;
  auto found = enable_controllers(hierarchy, path, controllers);
  if (found) return UnifiedParent{*std::move(found), std::nullopt};
  Error first = std::move(found).error();
  if (!parent.empty() || first.errno_value() != EBUSY) return first;

  CgroupDirectory own = TRY(CgroupDirectory::open(hierarchy.mount + hierarchy.own));
  if (TRY(is_ours(own, ours))) return clear(std::move(own), controllers, leaf_name);
  while (!path.empty()) {
    path = path.substr(0, path.rfind('/'));
    auto above = enable_controllers(hierarchy, path, controllers);
    if (above && ::faccessat(above->fd(), ".", W_OK, AT_EACCESS) == 0) {
      return UnifiedParent{*std::move(above), std::nullopt};
    }
  }
  return first;
}

}  // namespace mote::jail
