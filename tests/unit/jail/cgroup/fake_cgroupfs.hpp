// SPDX-License-Identifier: Apache-2.0
// A folder that behaves like a mounted tree of control groups, as far as files go: a new folder has
// the files of a group at once, and one with processes cannot be removed. Needs no root.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "jail/cgroup/hierarchy.hpp"

namespace mote::test {

/// Whether process `pid` has not ended; a zombie has.
bool is_running(pid_t pid);

/// One at a time. Takes mkdirat and unlinkat of the whole program over while it lives, for what is
/// below its folder.
class FakeCgroupfs {
 public:
  /// `files`: what every group has besides cgroup.procs.
  FakeCgroupfs(bool unified, std::vector<std::string> files);
  ~FakeCgroupfs();
  FakeCgroupfs(const FakeCgroupfs&) = delete;
  FakeCgroupfs& operator=(const FakeCgroupfs&) = delete;

  const std::string& root() const { return root_; }
  std::string path(std::string_view name) const { return root_ + "/" + std::string(name); }
  /// The tree as a process in the group `own` sees it.
  jail::CgroupHierarchy hierarchy(std::vector<std::string> controllers, std::string own) const;

  void make_group(const std::string& path) const;
  void write(const std::string& path, std::string_view text) const;
  std::string read(const std::string& path) const;
  bool exists(const std::string& path) const;

 private:
  std::string root_;
  bool unified_;
};

}  // namespace mote::test
