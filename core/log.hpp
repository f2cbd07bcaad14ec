// SPDX-License-Identifier: Apache-2.0
// The log: lines on standard error with level and thread. Guest-triggered lines are rate limited.
#pragma once

#include <atomic>

#include "core/types.hpp"

namespace mote {

enum class LogLevel : u8 { kOff, kError, kWarn, kInfo, kDebug };

/// Lines above this level are dropped; kOff drops all. Default: kWarn.
void set_log_level(LogLevel level);
/// Writes one line, printf style. Any thread; one write(2) per line.
[[gnu::format(printf, 2, 3)]] void log(LogLevel level, const char* pattern, ...);

/// Lets at most `burst` lines through per second, of what a guest can cause. Any thread.
class LogLimiter {
 public:
  explicit constexpr LogLimiter(u32 burst = 5) : burst_(burst) {}
  /// Writes a line as `log` does, or holds it back. Behind a line stands how many were held back
  /// since the last one.
  [[gnu::format(printf, 3, 4)]] void log(LogLevel level, const char* pattern, ...);
  /// Whether a line may be written; `suppressed` is how many were held back since the last one.
  bool allow(u64& suppressed);

 private:
  const u32 burst_;
  std::atomic<u64> second_{0};
  std::atomic<u32> used_{0};
  std::atomic<u64> suppressed_{0};
};

}  // namespace mote
