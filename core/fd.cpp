// SPDX-License-Identifier: Apache-2.0
#include "core/fd.hpp"

#include <fcntl.h>

#include <cerrno>

namespace mote {

Result<UniqueFd> duplicate(const UniqueFd& fd) {
  if (!fd) return UniqueFd();
  UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) {
    return Error::from_errno(errno, "cannot duplicate a descriptor",
                             "raise the limit of open files (ulimit -n)");
  }
  return copy;
}

Result<UniqueFd> open_file(const std::string& path, int flags, std::string_view remedy,
                           unsigned mode) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) return Error::from_errno(errno, "cannot open '" + path + "'", remedy);
  return fd;
}

}  // namespace mote
