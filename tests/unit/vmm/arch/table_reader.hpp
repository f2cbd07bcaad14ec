// SPDX-License-Identifier: Apache-2.0
// Reads firmware tables as a guest does: numbers at offsets of the specification, sums of bytes.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "core/bus.hpp"

namespace mote::test {

using Bytes = std::span<const std::byte>;

/// The little-endian number of `width` bytes at `offset`; a table that is too short fails the test.
inline u64 number(Bytes table, std::size_t offset, std::size_t width) {
  if (offset > table.size() || width > table.size() - offset) {
    ADD_FAILURE() << "offset " << offset << " of a table of " << table.size() << " bytes";
    return ~u64{0};
  }
  return load_le(table.subspan(offset, width));
}

inline std::string text(Bytes table, std::size_t offset, std::size_t length) {
  std::string result;
  for (std::size_t i = 0; i < length; ++i) {
    result += static_cast<char>(number(table, offset + i, 1));
  }
  return result;
}

/// The sum of all bytes; 0 in a sound table.
inline u8 sum(Bytes table) {
  unsigned total = 0;
  for (const std::byte byte : table) total += static_cast<unsigned>(byte);
  return static_cast<u8>(total);
}

}  // namespace mote::test
