// SPDX-License-Identifier: Apache-2.0
#include "jail/cgroup/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace mote::jail {

Result<std::string> read_file_at(int directory, const std::string& path) {
  const UniqueFd file(::openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return Error::from_errno(errno, "cannot open '" + path + "'");
  std::string text;
  char part[4096];
  for (;;) {
    const ssize_t size = ::read(file.get(), part, sizeof(part));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Error::from_errno(errno, "cannot read '" + path + "'");
    if (size == 0) return text;
    text.append(part, static_cast<std::size_t>(size));
  }
}

Result<void> write_file_at(int directory, const std::string& path, std::string_view text) {
  const UniqueFd file(::openat(directory, path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return Error::from_errno(errno, "cannot open '" + path + "'");
  if (::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return Error::from_errno(errno, "cannot write '" + std::string(text) + "' to '" + path + "'");
}

}  // namespace mote::jail
