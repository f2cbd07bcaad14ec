// SPDX-License-Identifier: Apache-2.0
// A listening Unix socket and its file.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/fd.hpp"
#include "core/result.hpp"

namespace mote::http {

/// The file stays until `remove`.
class UnixListener {
 public:
  /// One that listens nowhere.
  UnixListener() = default;
  /// Makes a socket at `path` and listens, without blocking. A socket file that nobody listens at
  /// any more is replaced; anything else that is there is left alone.
  static Result<UnixListener> create(const std::string& path);

  /// -1 for one that listens nowhere.
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  /// Removes the file, if it is still the one that was made; wherever the process's root is by now.
  /// Harmless when done twice.
  void remove();
  /// The path of the folder that the file is in.
  std::string folder() const;
  /// That folder, which `remove` needs; -1 when there is nothing to remove.
  int folder_fd() const { return folder_.get(); }
  /// Leaves the file to another process, which has a copy of this.
  void disown() { folder_.reset(); }

 private:
  UnixListener(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<void> take_file();

  UniqueFd fd_;
  std::string path_;
  UniqueFd folder_;   // which the file is in
  std::string name_;  // there
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace mote::http
