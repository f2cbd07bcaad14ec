// SPDX-License-Identifier: Apache-2.0
// UniqueFd: a file descriptor with one owner.
#pragma once

#include <unistd.h>

#include <string>
#include <utility>

#include "core/result.hpp"

namespace mote {

/// Owns a file descriptor and closes it at the end. Errors of close are ignored; where a flush
/// matters, its owner asks for it before.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

/// Another descriptor of the same open file, close-on-exec: what belongs to that, a lock or a
/// position, is shared. None of none.
Result<UniqueFd> duplicate(const UniqueFd& fd);

/// Opens `path` with O_CLOEXEC added to `flags`. The Error names the path; `remedy` is appended to
/// it.
Result<UniqueFd> open_file(const std::string& path, int flags, std::string_view remedy = {},
                           unsigned mode = 0600);

}  // namespace mote
