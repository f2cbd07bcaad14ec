// SPDX-License-Identifier: Apache-2.0
// Firmware tables as bytes: append a structure, overwrite one, compute the checksum. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "core/check.hpp"
#include "core/types.hpp"

namespace mote::arch {

/// Appends the bytes of a wire structure.
template <class T>
  requires std::is_trivially_copyable_v<T>
void append(std::vector<std::byte>& bytes, const T& value) {
  bytes.resize(bytes.size() + sizeof(T));
  std::memcpy(bytes.data() + bytes.size() - sizeof(T), &value, sizeof(T));
}

/// Overwrites the bytes at `offset` with a wire structure.
template <class T>
  requires std::is_trivially_copyable_v<T>
void overwrite(std::span<std::byte> bytes, std::size_t offset, const T& value) {
  CHECK(offset <= bytes.size() && sizeof(T) <= bytes.size() - offset,
        "a structure stays in its table");
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

/// Where in `pattern` the bytes of `mark` are, for which other values go; they are there.
template <class T>
std::size_t find_mark(std::span<const std::byte> pattern, const T& mark) {
  const auto bytes = std::as_bytes(std::span(&mark, 1));
  const auto found = std::search(pattern.begin(), pattern.end(), bytes.begin(), bytes.end());
  CHECK(found != pattern.end(), "a pattern has its marks");
  return static_cast<std::size_t>(found - pattern.begin());
}

/// What makes the sum of all bytes zero, when it replaces a zero among them.
inline u8 checksum(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte byte : bytes) sum += static_cast<unsigned>(byte);
  return static_cast<u8>(0x100 - (sum & 0xff));
}

}  // namespace mote::arch
