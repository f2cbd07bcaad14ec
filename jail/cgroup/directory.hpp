// SPDX-License-Identifier: Apache-2.0
// CgroupDirectory: one group in one tree, held by a descriptor, so that it can be reached after the
// root directory has gone.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"
#include "jail/cgroup/limits.hpp"

namespace mote::jail {

class CgroupDirectory {
 public:
  static Result<CgroupDirectory> open(std::string path);

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

  /// The group `name` below this one.
  Result<CgroupDirectory> child(const std::string& name) const;
  /// Makes the group `name` below this one. One that nobody is in, which a crash may have left, is
  /// replaced; one that is in use is an Error.
  Result<CgroupDirectory> make_child(const std::string& name) const;
  /// Ends every process in the group `name` below this one, waits until it is empty, and removes
  /// it. That it does not exist is success. An Error when it is still in use after `patience_ms`.
  /// Allocates nothing until it fails.
  Result<void> remove_child(const std::string& name, u32 patience_ms) const;

  /// Whether a file of this name exists.
  bool has(const char* file) const;
  Result<std::string> read(const std::string& file) const;
  Result<void> write(const CgroupSetting& setting) const;
  /// The processes in it, as numbers of the caller's PID namespace; 0 for those outside of it.
  Result<std::vector<pid_t>> processes() const;
  /// Opens what `add_process` takes.
  Result<UniqueFd> open_processes() const;

 private:
  CgroupDirectory(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

/// Moves process `pid` (0: the caller), with all its threads, into the group whose cgroup.procs is
/// `processes`. Needs no file system.
Result<void> add_process(const UniqueFd& processes, pid_t pid);

}  // namespace mote::jail
