// SPDX-License-Identifier: Apache-2.0
// The time by one of the host's clocks, as one number.
#pragma once

#include <ctime>

#include "core/types.hpp"

namespace mote {

inline constexpr u64 kNsPerSecond = 1'000'000'000;

/// Nanoseconds of `clock`: CLOCK_MONOTONIC, or CLOCK_MONOTONIC_COARSE, the time of the last tick,
/// which costs no look at the hardware. Any thread; async-signal-safe.
inline u64 clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<u64>(now.tv_sec) * kNsPerSecond + static_cast<u64>(now.tv_nsec);
}

}  // namespace mote
