// SPDX-License-Identifier: Apache-2.0
#include "jail/cgroup/hierarchy.hpp"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "jail/cgroup/files.hpp"
#include "jail/words.hpp"

namespace mote::jail {
namespace {

/// A line of mountinfo, as far as control groups go.
struct Mount {
  std::string root;  // what part of the tree is mounted
  std::string point;
  std::string_view type;
  std::vector<std::string_view> options;  // of the file system: its controllers, for v1
};

/// Undoes the escapes of mountinfo: a backslash and three octal digits.
std::string unescape(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      const int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      result += static_cast<char>(value);
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::optional<Mount> parse_mount(std::string_view line) {
  const std::size_t bar = line.find(" - ");
  if (bar == std::string_view::npos) return std::nullopt;
  const std::vector<std::string_view> front = split(line.substr(0, bar), ' ');
  const std::vector<std::string_view> back = split(line.substr(bar + 3), ' ');
  if (front.size() < 5 || back.size() < 3) return std::nullopt;
  return Mount{unescape(front[3]), unescape(front[4]), back[0], split(back[2], ',')};
}

/// A line of /proc/PID/cgroup.
struct Membership {
  std::vector<std::string_view> controllers;  // empty: v2
  std::string_view path;
};

std::optional<Membership> parse_membership(std::string_view line) {
  const std::size_t first = line.find(':');
  const std::size_t second = line.find(':', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  return Membership{split(line.substr(first + 1, second - first - 1), ','),
                    line.substr(second + 1)};
}

/// `path` as seen from `root`; nothing when it is not below it.
std::optional<std::string> below(std::string_view path, std::string_view root) {
  if (root == "/") root = "";
  if (path == "/") path = "";
  if (path.starts_with("/..") || !path.starts_with(root)) return std::nullopt;
  path.remove_prefix(root.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  return std::string(path);
}

bool contains(const std::vector<std::string_view>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool belongs(const Membership& membership, const Mount& mount) {
  if (mount.type == "cgroup2") return membership.controllers.empty();
  return mount.type == "cgroup" && !membership.controllers.empty() &&
         contains(mount.options, membership.controllers.front());
}

}  // namespace

bool CgroupHierarchy::has(std::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

std::vector<CgroupHierarchy> parse_cgroup_hierarchies(std::string_view mountinfo,
                                                      std::string_view groups) {
  std::vector<Membership> memberships;
  for (const std::string_view line : split(groups, '\n')) {
    if (const auto membership = parse_membership(line)) memberships.push_back(*membership);
  }
  std::vector<CgroupHierarchy> found;
  for (const std::string_view line : split(mountinfo, '\n')) {
    const auto mount = parse_mount(line);
    if (!mount) continue;
    for (const Membership& membership : memberships) {
      if (!belongs(membership, *mount)) continue;
      const auto own = below(membership.path, mount->root);
      if (!own) continue;
      found.push_back(
          {.unified = membership.controllers.empty(),
           .mount = mount->point,
           .own = *own,
           .controllers = {membership.controllers.begin(), membership.controllers.end()}});
    }
  }
  return found;
}

Result<std::vector<CgroupHierarchy>> find_cgroup_hierarchies(const std::string& proc) {
  const std::string mountinfo = TRY(read_file_at(AT_FDCWD, proc + "/mountinfo"));
  const std::string groups = TRY(read_file_at(AT_FDCWD, proc + "/cgroup"));
  std::vector<CgroupHierarchy> found = parse_cgroup_hierarchies(mountinfo, groups);
  for (CgroupHierarchy& hierarchy : found) {
    if (!hierarchy.unified) continue;
    const auto names = read_file_at(AT_FDCWD, hierarchy.mount + "/cgroup.controllers");
    if (!names) continue;
    for (const std::string_view name : split(*names, ' ')) hierarchy.controllers.emplace_back(name);
  }
  return found;
}

}  // namespace mote::jail
