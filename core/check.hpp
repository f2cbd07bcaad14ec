// SPDX-License-Identifier: Apache-2.0
// CHECK: an invariant of this program, active in release builds. Never for input of guest or user.
#pragma once

namespace mote {

/// Prints one line that can be pasted into a bug report, then ends the process by SIGILL.
[[noreturn]] void check_failed(const char* condition, const char* why, const char* file, int line);

}  // namespace mote

/// Aborts with a message when `condition` does not hold; `why` says what was promised.
#define CHECK(condition, why) \
  ((condition) ? static_cast<void>(0) : ::mote::check_failed(#condition, why, __FILE__, __LINE__))
