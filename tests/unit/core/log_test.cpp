// SPDX-License-Identifier: Apache-2.0
// The form of a line, the level, and the limit on what a guest can cause.
#include "core/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <regex.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

namespace mote {
namespace {

template <class Function>
std::string stderr_of(Function function) {
  testing::internal::CaptureStderr();
  function();
  return testing::internal::GetCapturedStderr();
}

TEST(LogTest, ALineHasLevelThreadAndText) {
  const std::string text = stderr_of([] { log(LogLevel::kWarn, "port %#x of %s", 0x3f8, "COM1"); });
  EXPECT_EQ(text.find("mote: warning: ["), 0u) << text;
  EXPECT_NE(text.find("] port 0x3f8 of COM1\n"), std::string::npos) << text;
}

TEST(LogTest, LinesAboveTheLevelAreDropped) {
  EXPECT_EQ(stderr_of([] { log(LogLevel::kInfo, "not seen"); }), "");
  set_log_level(LogLevel::kDebug);
  const std::string text = stderr_of([] { log(LogLevel::kDebug, "seen"); });
  set_log_level(LogLevel::kWarn);
  EXPECT_NE(text.find("debug"), std::string::npos);
}

TEST(LogTest, ALineTooLongIsCutAndStillEnds) {
  const std::string longest(5000, 'x');
  const std::string text = stderr_of([&] { log(LogLevel::kError, "%s", longest.c_str()); });
  EXPECT_EQ(text.size(), 1024u);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

/// Lines go to a pipe in `format` while `function` runs.
template <class Function>
std::string output_of(LogFormat format, bool show_level, Function function) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe2(ends, O_NONBLOCK), 0);
  set_log_output({.fd = ends[1], .format = format, .id = "vm1", .show_level = show_level});
  function();
  set_log_output({});
  std::string text(100'000, '\0');
  const ssize_t size = ::read(ends[0], text.data(), text.size());
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  ::close(ends[0]);
  ::close(ends[1]);
  return text;
}

bool matches(const std::string& text, const char* pattern) {
  regex_t expression;
  EXPECT_EQ(::regcomp(&expression, pattern, REG_EXTENDED | REG_NOSUB), 0);
  const bool result = ::regexec(&expression, text.c_str(), 0, nullptr, 0) == 0;
  ::regfree(&expression);
  return result;
}

TEST(LogTest, ALineCanLookLikeFirecrackers) {
  std::string text = output_of(LogFormat::kFirecracker, true,
                               [] { log(LogLevel::kWarn, "disk %d\nhas two lines", 3); });
  EXPECT_TRUE(matches(text,
                      "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{9} "
                      "\\[vm1:[^:]+:WARN] disk 3 has two lines\n$"))
      << text;
  text = output_of(LogFormat::kFirecracker, false, [] { log(LogLevel::kError, "x"); });
  EXPECT_TRUE(matches(text, " \\[vm1:[^:]+] x\n$")) << text;
}

TEST(LogTest, ALineCanBeJson) {
  const std::string text = output_of(LogFormat::kJson, true, [] {
    LogLimiter limiter;
    limiter.log(LogLevel::kError, "no '%s'", "\"x\"");
  });
  EXPECT_TRUE(matches(text,
                      "^[{]\"time\":\"[^\"]+Z\",\"level\":\"error\",\"id\":\"vm1\",\"thread\":"
                      "\"[^\"]+\",\"message\":\"no '\\\\\"x\\\\\"'\"}\n$"))
      << text;
}

TEST(LogTest, LinesThatNobodyReadsAreCounted) {
  const u64 before = log_lines_lost();
  const std::string text = output_of(LogFormat::kPlain, true, [] {
    const std::string line(900, 'x');
    for (int i = 0; i < 100; ++i) log(LogLevel::kError, "%s", line.c_str());
  });
  EXPECT_EQ(log_lines_lost() - before,
            100 - static_cast<u64>(std::count(text.begin(), text.end(), '\n')));
  EXPECT_GT(log_lines_lost(), before);
}

TEST(LogLimiterTest, ALineTellsHowManyWereHeldBackBeforeIt) {
  LogLimiter limiter(2);
  const auto held_back = [](const std::string& text) {
    const std::size_t at = text.find(" (");
    return at == std::string::npos ? 0 : std::stoi(text.substr(at + 2));
  };
  std::string text = stderr_of([&] {
    for (int i = 0; i < 100; ++i) limiter.log(LogLevel::kWarn, "disk %d", i);
  });
  const auto lines = std::count(text.begin(), text.end(), '\n');
  EXPECT_NE(text.find("] disk 0\n"), std::string::npos) << text;
  EXPECT_LE(lines, 4) << "a second may begin meanwhile";
  const int told = held_back(text);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  text = stderr_of([&] { limiter.log(LogLevel::kWarn, "%s", "once more"); });
  EXPECT_EQ(told + held_back(text), 100 - lines);
  EXPECT_NE(text.find("] once more (" + std::to_string(held_back(text)) +
                      " similar messages suppressed)\n"),
            std::string::npos)
      << text;
  text = stderr_of([&] { limiter.log(LogLevel::kWarn, "again"); });
  EXPECT_NE(text.find("] again\n"), std::string::npos) << "each is told once: " << text;
}

TEST(LogLimiterTest, TheCountFitsBehindALineThatIsCut) {
  LogLimiter limiter(1);
  const std::string longest(5000, 'x');
  const auto write = [&] { limiter.log(LogLevel::kError, "%s", longest.c_str()); };
  stderr_of([&] {
    for (int i = 0; i < 10; ++i) write();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  const std::string text = stderr_of(write);
  EXPECT_TRUE(text.ends_with(" similar messages suppressed)\n")) << text;
  EXPECT_EQ(text.size(), 1024u);
}

TEST(LogLimiterTest, LinesAboveTheLevelAreNotCounted) {
  LogLimiter limiter(1);
  EXPECT_EQ(stderr_of([&] {
              for (int i = 0; i < 5; ++i) limiter.log(LogLevel::kDebug, "not seen");
            }),
            "");
  EXPECT_TRUE(stderr_of([&] { limiter.log(LogLevel::kWarn, "seen"); }).ends_with("] seen\n"));
}

TEST(LogLimiterTest, LetsABurstThroughAndCountsTheRest) {
  LogLimiter limiter(3);
  u64 suppressed = 0;
  u32 allowed = 0;
  u64 reported = 0;
  for (int i = 0; i < 1000; ++i) {
    if (!limiter.allow(suppressed)) continue;
    ++allowed;
    reported += suppressed;
  }
  // A second may begin meanwhile, and then another burst is due.
  EXPECT_GE(allowed, 3u);
  EXPECT_LE(allowed, 6u);
  EXPECT_EQ(reported == 0, allowed == 3);

  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  ASSERT_TRUE(limiter.allow(suppressed)) << "the next second has its own burst";
  EXPECT_EQ(reported + suppressed, 1000 - allowed);
  ASSERT_TRUE(limiter.allow(suppressed));
  EXPECT_EQ(suppressed, 0u) << "each is reported once";
}

}  // namespace
}  // namespace mote
