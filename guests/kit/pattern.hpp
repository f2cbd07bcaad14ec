// SPDX-License-Identifier: Apache-2.0
// Data that tells where it belongs: each word is made of its place and a seed. Any vCPU; in ring 3
// it is quick everywhere.
#pragma once

#include "guests/kit/types.hpp"

namespace kit {

/// The word at byte `position`, a multiple of 8, of the pattern `seed`.
constexpr u64 pattern_word(u64 position, u64 seed) {
  return (position / 8 + 1) * 0x9E3779B97F4A7C15 ^ seed;
}

/// Fills `size` bytes, a multiple of 8, with the pattern as it is from `position` on.
inline void fill_pattern(void* data, u64 size, u64 position, u64 seed) {
  auto* bytes = static_cast<char*>(data);
  for (u64 i = 0; i < size; i += 8) {
    const u64 word = pattern_word(position + i, seed);
    __builtin_memcpy(bytes + i, &word, 8);
  }
}

/// Offset of the first word that differs from the pattern; `size` when none does.
inline u64 find_difference(const void* data, u64 size, u64 position, u64 seed) {
  const auto* bytes = static_cast<const char*>(data);
  u64 i = 0;
  for (; i < size; i += 8) {
    u64 word;
    __builtin_memcpy(&word, bytes + i, 8);
    if (word != pattern_word(position + i, seed)) break;
  }
  return i;
}

/// Offset of the first byte that is not `value`; `size` when none is.
inline u64 find_other(const void* data, u64 size, u8 value) {
  const auto* bytes = static_cast<const u8*>(data);
  u64 i = 0;
  while (i < size && bytes[i] == value) i++;
  return i;
}

}  // namespace kit
