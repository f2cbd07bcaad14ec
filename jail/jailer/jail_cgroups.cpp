// SPDX-License-Identifier: Apache-2.0
#include "jail/jailer/jail_cgroups.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "jail/cgroup/directory.hpp"
#include "jail/cgroup/hierarchy.hpp"
#include "jail/cgroup/unified_parent.hpp"
#include "jail/jailer/os_error.hpp"
#include "jail/words.hpp"

namespace mote::jailer {
namespace {

using jail::CgroupDirectory;
using jail::CgroupHierarchy;
using jail::CgroupSetting;

std::string_view controller_of(const CgroupSetting& setting) {
  return std::string_view(setting.file).substr(0, setting.file.find('.'));
}

/// A tree and what is to be written in it.
struct Part {
  const CgroupHierarchy* tree;
  std::vector<CgroupSetting> settings;
};

Result<std::vector<Part>> find_parts(const std::vector<CgroupHierarchy>& trees,
                                     const Arguments& arguments) {
  const bool unified = arguments.cgroup_version == 2;
  const auto fits = [&](const CgroupHierarchy& tree) { return tree.unified == unified; };
  if (std::none_of(trees.begin(), trees.end(), fits)) {
    return Error::host("Hierarchy not found: No hierarchy found for this cgroup version.");
  }
  std::vector<Part> parts;
  for (const CgroupSetting& setting : arguments.cgroups) {
    const std::string_view name = controller_of(setting);
    const auto tree = std::find_if(trees.begin(), trees.end(), [&](const CgroupHierarchy& one) {
      return fits(one) && one.has(name);
    });
    if (tree == trees.end()) {
      return Error::host("Controller " + std::string(name) + " is unavailable");
    }
    auto part = std::find_if(parts.begin(), parts.end(),
                             [&](const Part& one) { return one.tree == &*tree; });
    if (part == parts.end()) part = parts.insert(parts.end(), Part{&*tree, {}});
    part->settings.push_back(setting);
  }
  return parts;
}

/// In v1 a new group of cpuset has neither CPUs nor memory, and takes no process before it has.
Result<void> inherit_cpuset(const CgroupDirectory& above, const CgroupDirectory& group) {
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    if (!group.has(file) || !jail::split(TRY(group.read(file)), '\n').empty()) continue;
    std::string value = TRY(above.read(file));
    while (value.ends_with('\n')) value.pop_back();
    TRY(group.write({file, value}));
  }
  return {};
}

/// The group at `path` from the tree's root, made as far as it is not there.
Result<CgroupDirectory> make_path(const CgroupHierarchy& tree, std::string_view path) {
  CgroupDirectory group = TRY(CgroupDirectory::open(tree.mount));
  for (const std::string_view name : jail::split(path, '/')) {
    if (::mkdirat(group.fd(), std::string(name).c_str(), 0755) != 0 && errno != EEXIST) {
      return os_error("Failed to create directory " + group.path() + "/" + std::string(name),
                      errno);
    }
    CgroupDirectory below = TRY(group.child(std::string(name)));
    if (!tree.unified && tree.has("cpuset")) TRY(inherit_cpuset(group, below));
    group = std::move(below);
  }
  return group;
}

Result<CgroupDirectory> make_group(const Part& part, const std::string& parent,
                                   const std::string& id) {
  if (part.tree->unified) {
    std::vector<std::string_view> names;
    for (const CgroupSetting& setting : part.settings) {
      const std::string_view name = controller_of(setting);
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    TRY(make_path(*part.tree, parent));
    TRY(jail::enable_controllers(*part.tree, parent, names));
  }
  CgroupDirectory group = TRY(make_path(*part.tree, parent + "/" + id));
  for (const CgroupSetting& setting : part.settings) TRY(group.write(setting));
  return group;
}

/// In v2 a parent alone means: be in it.
Result<void> enter_parent(const std::vector<CgroupHierarchy>& trees, const std::string& parent) {
  for (const CgroupHierarchy& tree : trees) {
    if (!tree.unified) continue;
    const std::string path = tree.mount + "/" + parent;
    if (::access(path.c_str(), F_OK) != 0) return {};
    const CgroupDirectory group = TRY(CgroupDirectory::open(path));
    return jail::add_process(TRY(group.open_processes()), ::getpid());
  }
  return Error::host("Hierarchy not found: No hierarchy found for this cgroup version.");
}

}  // namespace

Result<void> enter_cgroups(const Arguments& arguments, const std::string& program) {
  const bool parent_only = arguments.cgroups.empty();
  if (parent_only && (arguments.cgroup_version != 2 || !arguments.parent_cgroup)) return {};
  const std::vector<CgroupHierarchy> trees = TRY(jail::find_cgroup_hierarchies());
  if (parent_only) return enter_parent(trees, *arguments.parent_cgroup);

  const std::vector<Part> parts = TRY(find_parts(trees, arguments));
  std::vector<UniqueFd> entries;
  for (const Part& part : parts) {
    const CgroupDirectory group =
        TRY(make_group(part, arguments.parent_cgroup.value_or(program), arguments.id));
    entries.push_back(TRY(group.open_processes()));
  }
  // Last: a process that is in one of them and not in the others would be half limited.
  for (const UniqueFd& entry : entries) TRY(jail::add_process(entry, ::getpid()));
  return {};
}

}  // namespace mote::jailer
