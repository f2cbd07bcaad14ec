// SPDX-License-Identifier: Apache-2.0
#include "core/log.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <ctime>

namespace mote {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kWarn};

const char* level_name(LogLevel level) {
  switch (level) {
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

}  // namespace

void set_log_level(LogLevel level) {
  g_level.store(level, std::memory_order_relaxed);
}

void log(LogLevel level, const char* pattern, ...) {
  if (level > g_level.load(std::memory_order_relaxed)) return;
  char thread[16] = "";
  ::prctl(PR_GET_NAME, thread);
  char line[1024];
  int used = std::snprintf(line, sizeof(line), "mote: %s: [%s] ", level_name(level), thread);
  va_list arguments;
  va_start(arguments, pattern);
  used += std::vsnprintf(line + used, sizeof(line) - static_cast<std::size_t>(used), pattern,
                         arguments);
  va_end(arguments);
  used = std::min(used, static_cast<int>(sizeof(line)) - 1);
  line[used] = '\n';
  [[maybe_unused]] const ssize_t written =
      ::write(STDERR_FILENO, line, static_cast<std::size_t>(used) + 1);
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
