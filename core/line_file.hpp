// SPDX-License-Identifier: Apache-2.0
// A file or FIFO that lines are written to, whether or not somebody reads them.
#pragma once

#include <string>
#include <string_view>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// Never waits for a reader: what a FIFO has no room for is lost and counted. A reader sees whole
/// lines. One thread at a time.
class LineFile {
 public:
  /// Makes the file if it is not there, and appends otherwise. A FIFO needs no reader.
  static Result<LineFile> open(const std::string& path);

  /// Writes `line` and its end; false when it was lost.
  bool write(std::string_view line);
  u64 lost() const { return lost_; }
  int fd() const { return fd_.get(); }

 private:
  explicit LineFile(UniqueFd fd) : fd_(std::move(fd)) {}
  bool write_rest();

  UniqueFd fd_;
  std::string rest_;  // of a line that was begun
  u64 lost_ = 0;
};

}  // namespace mote
