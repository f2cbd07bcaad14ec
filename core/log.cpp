// SPDX-License-Identifier: Apache-2.0
#include "core/log.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "core/thread.hpp"

namespace mote {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kWarn};

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kOff:
      break;
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarn:
      return "warning";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "?";
}

bool is_logged(LogLevel level) {
  return level <= g_level.load(std::memory_order_relaxed);
}

void write_line(LogLevel level, u64 suppressed, const char* pattern, va_list arguments) {
  char end[64] = "\n";
  if (suppressed > 0) {
    std::snprintf(end, sizeof(end), " (%lu similar message%s suppressed)\n", suppressed,
                  suppressed == 1 ? "" : "s");
  }
  char line[1024];
  const std::size_t end_size = std::strlen(end);
  const std::size_t room = sizeof(line) - end_size;
  auto used = static_cast<std::size_t>(
      std::snprintf(line, room, "mote: %s: [%s] ", level_name(level), thread_name()));
  // One more than the room: the end overwrites the zero byte.
  used +=
      static_cast<std::size_t>(std::vsnprintf(line + used, room - used + 1, pattern, arguments));
  used = std::min(used, room);
  std::copy_n(end, end_size, line + used);
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line, used + end_size);
}

}  // namespace

void set_log_level(LogLevel level) {
  g_level.store(level, std::memory_order_relaxed);
}

void log(LogLevel level, const char* pattern, ...) {
  if (!is_logged(level)) return;
  va_list arguments;
  va_start(arguments, pattern);
  write_line(level, 0, pattern, arguments);
  va_end(arguments);
}

void LogLimiter::log(LogLevel level, const char* pattern, ...) {
  u64 suppressed = 0;
  if (!is_logged(level) || !allow(suppressed)) return;
  va_list arguments;
  va_start(arguments, pattern);
  write_line(level, suppressed, pattern, arguments);
  va_end(arguments);
}

bool LogLimiter::allow(u64& suppressed) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const u64 second = static_cast<u64>(now.tv_sec) + 1;
  if (second_.exchange(second, std::memory_order_relaxed) != second) {
    used_.store(0, std::memory_order_relaxed);
  }
  if (used_.fetch_add(1, std::memory_order_relaxed) >= burst_) {
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  suppressed = suppressed_.exchange(0, std::memory_order_relaxed);
  return true;
}

}  // namespace mote
