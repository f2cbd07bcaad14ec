// SPDX-License-Identifier: Apache-2.0
#include "core/mapping.hpp"

#include <cerrno>

namespace mote {

Result<Mapping> Mapping::create(std::size_t size, int protection, int flags, int fd, i64 offset,
                                std::string_view what) {
  void* base = ::mmap(nullptr, size, protection, flags, fd, offset);
  if (base == MAP_FAILED)
    return Error::from_errno(errno, std::string("cannot map ") + std::string(what));
  return Mapping(static_cast<std::byte*>(base), size);
}

}  // namespace mote
