// SPDX-License-Identifier: Apache-2.0
// Asking the kernel's VFIO: an ioctl whose failure is an Error, and answers of any length.
#pragma once

#include <sys/ioctl.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote::vfio {

/// ioctl, whose failure is `what`.
template <class Argument>
Result<int> vfio_ioctl(const UniqueFd& fd, unsigned long request, Argument argument,
                       const std::string& what) {
  const int result = ::ioctl(fd.get(), request, argument);
  if (result >= 0) return result;
  return Error::from_errno(errno, what);
}

/// An answer of the kernel that may be longer than its structure T: asked for again at the size
/// that the kernel says.
template <class T>
Result<std::vector<std::byte>> ask(const UniqueFd& fd, unsigned long request, T question,
                                   const std::string& what) {
  std::vector<std::byte> answer(sizeof(T));
  for (;;) {
    question.argsz = static_cast<u32>(answer.size());
    std::memcpy(answer.data(), &question, sizeof(T));
    TRY(vfio_ioctl(fd, request, answer.data(), what));
    T head;
    std::memcpy(&head, answer.data(), sizeof(T));
    if (head.argsz <= answer.size()) return answer;
    answer.assign(head.argsz, {});
  }
}

}  // namespace mote::vfio
