// SPDX-License-Identifier: Apache-2.0
// Sized integers of the guest kit, which is freestanding and shares no code with the monitor.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kit {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i64 = std::int64_t;

inline constexpr u64 kKiB = 1024;
inline constexpr u64 kMiB = 1024 * kKiB;
inline constexpr u64 kGiB = 1024 * kMiB;

}  // namespace kit
