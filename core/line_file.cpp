// SPDX-License-Identifier: Apache-2.0
#include "core/line_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace mote {

Result<LineFile> LineFile::open(const std::string& path) {
  // For writing alone, a FIFO without a reader could not be opened.
  return LineFile(TRY(open_file(path, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK, {}, 0644)));
}

bool LineFile::write(std::string_view line) {
  if (!write_rest()) {
    ++lost_;
    return false;
  }
  rest_ = std::string(line) + "\n";
  const std::size_t size = rest_.size();
  // What has been begun is not lost: its rest goes before the next line.
  if (write_rest() || rest_.size() < size) return true;
  rest_.clear();
  ++lost_;
  return false;
}

bool LineFile::write_rest() {
  while (!rest_.empty()) {
    const ssize_t written = ::write(fd_.get(), rest_.data(), rest_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    rest_.erase(0, static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace mote
