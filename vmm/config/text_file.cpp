// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/text_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/fd.hpp"

namespace mote {

Result<std::string> read_text_file(const std::string& path) {
  const auto file = open_file(path, O_RDONLY);
  if (!file) return Error::config(file.error().message());
  std::string text;
  while (text.size() <= kMaxConfigFile) {
    char part[4096];
    const ssize_t size = ::read(file->get(), part, sizeof(part));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      return Error::config(Error::from_errno(errno, "cannot read '" + path + "'").message());
    }
    if (size == 0) break;
    text.append(part, static_cast<std::size_t>(size));
  }
  return text;
}

}  // namespace mote
