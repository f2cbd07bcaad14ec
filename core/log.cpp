// SPDX-License-Identifier: Apache-2.0
#include "core/log.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <span>
#include <string_view>
#include <utility>

#include "core/clock.hpp"
#include "core/json/writer.hpp"
#include "core/thread.hpp"

namespace mote {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kWarn};
/// An output and those before it, which another thread may still be reading.
struct OutputNode : LogOutput {
  const OutputNode* before = nullptr;
};

std::atomic<const OutputNode*> g_output{nullptr};  // null: plain, on standard error
std::atomic<u64> g_lost{0};

constexpr std::size_t kLineSize = 1024;

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

/// As Firecracker spells it.
const char* short_level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kOff:
      break;
    case LogLevel::kError:
      return "ERROR";
    case LogLevel::kWarn:
      return "WARN";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kDebug:
      return "DEBUG";
  }
  return "?";
}

/// "2026-01-31T12:00:00.123456789", UTC. gmtime would read the host's time zone first, which is not
/// to be had in the sandbox.
void print_time(std::span<char> text) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::chrono::sys_seconds time{std::chrono::seconds(now.tv_sec)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%09ld",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), now.tv_nsec);
}

bool is_logged(LogLevel level) {
  return level <= g_level.load(std::memory_order_relaxed);
}

/// What stands before the message. The length that it has, or would have.
std::size_t print_head(std::span<char> line, LogLevel level, const char* thread) {
  const LogOutput* const output = g_output.load(std::memory_order_acquire);
  if (output == nullptr || output->format == LogFormat::kPlain) {
    return static_cast<std::size_t>(
        std::snprintf(line.data(), line.size(), "mote: %s: [%s] ", level_name(level), thread));
  }
  char time[64];
  print_time(time);
  return static_cast<std::size_t>(std::snprintf(
      line.data(), line.size(), "%s [%s:%s%s%s] ", time, output->id.c_str(), thread,
      output->show_level ? ":" : "", output->show_level ? short_level_name(level) : ""));
}

/// One write; a line that does not go out whole is lost.
void put(const char* line, std::size_t size) {
  const LogOutput* const output = g_output.load(std::memory_order_acquire);
  const ssize_t written = ::write(output == nullptr ? STDERR_FILENO : output->fd, line, size);
  if (written != static_cast<ssize_t>(size)) g_lost.fetch_add(1, std::memory_order_relaxed);
}

void put_json(const LogOutput& output, LogLevel level, const char* thread, std::string_view text) {
  char time[64];
  print_time(time);
  json::Writer out;
  out.begin_object().key("time").string(std::string(time) + "Z");
  out.key("level").string(level_name(level)).key("id").string(output.id);
  out.key("thread").string(thread).key("message").string(text).end_object();
  const std::string line = out.take() + "\n";
  put(line.data(), line.size());
}

void write_line(LogLevel level, u64 suppressed, const char* pattern, va_list arguments) {
  const char* const thread = thread_name();
  char end[64] = "\n";
  if (suppressed > 0) {
    std::snprintf(end, sizeof(end), " (%lu similar message%s suppressed)\n", suppressed,
                  suppressed == 1 ? "" : "s");
  }
  const LogOutput* const output = g_output.load(std::memory_order_acquire);
  const bool is_json = output != nullptr && output->format == LogFormat::kJson;
  char line[kLineSize];
  const std::size_t end_size = std::strlen(end);
  const std::size_t room = sizeof(line) - end_size;
  std::size_t used = 0;
  if (!is_json) used = std::min(print_head(std::span(line, room), level, thread), room - 1);
  // One more than the room: the end overwrites the zero byte.
  used +=
      static_cast<std::size_t>(std::vsnprintf(line + used, room - used + 1, pattern, arguments));
  used = std::min(used, room);
  // A line is a line, whatever a message quotes.
  std::replace(line, line + used, '\n', ' ');
  std::copy_n(end, end_size, line + used);
  if (!is_json) return put(line, used + end_size);
  put_json(*output, level, thread, {line, used + end_size - 1});
}

}  // namespace

void set_log_level(LogLevel level) {
  g_level.store(level, std::memory_order_relaxed);
}

void set_log_output(LogOutput output) {
  const OutputNode* const before = g_output.load(std::memory_order_acquire);
  g_output.store(new OutputNode{{std::move(output)}, before}, std::memory_order_release);
}

u64 log_lines_lost() {
  return g_lost.load(std::memory_order_relaxed);
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
  const u64 second = clock_ns(CLOCK_MONOTONIC_COARSE) / kNsPerSecond + 1;
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
