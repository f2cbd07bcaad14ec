// SPDX-License-Identifier: Apache-2.0
// The log: lines with level and thread, on standard error or where a client wants them.
// Guest-triggered lines are rate limited.
#pragma once

#include <atomic>
#include <string>

#include "core/types.hpp"

namespace mote {

enum class LogLevel : u8 { kOff, kError, kWarn, kInfo, kDebug };

enum class LogFormat : u8 {
  kPlain,        ///< "mote: warning: [io] text"
  kFirecracker,  ///< "2026-01-31T12:00:00.123456789 [id:io:WARN] text"
  kJson,         ///< an object per line: time, level, id, thread, message
};

/// Where lines go, and how they look.
struct LogOutput {
  int fd = 2;  ///< stays open; when it cannot take a line at once (O_NONBLOCK), the line is lost
  LogFormat format = LogFormat::kPlain;
  std::string id;          ///< of the instance
  bool show_level = true;  ///< with kFirecracker
};

/// Lines above this level are dropped; kOff drops all. Default: kWarn.
void set_log_level(LogLevel level);
/// Any thread, but a few times in the life of a process only: what was set before is kept for those
/// who are writing.
void set_log_output(LogOutput output);
/// Writes one line, printf style. Any thread, but no signal handler; one write(2) per line.
[[gnu::format(printf, 2, 3)]] void log(LogLevel level, const char* pattern, ...);
/// How many lines could not be written.
u64 log_lines_lost();

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
