// SPDX-License-Identifier: Apache-2.0
// Mapping: a range of the process's address space with one owner.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// Owns what mmap returned and unmaps it at the end.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(size_, other.size_);
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (base_ != nullptr) ::munmap(base_, size_);
  }

  /// mmap with these arguments; `what` names the object in the Error.
  static Result<Mapping> create(std::size_t size, int protection, int flags, int fd, i64 offset,
                                std::string_view what);

  std::byte* data() const { return base_; }
  std::size_t size() const { return size_; }
  std::span<std::byte> bytes() const { return {base_, size_}; }

 private:
  Mapping(std::byte* base, std::size_t size) : base_(base), size_(size) {}
  std::byte* base_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace mote
