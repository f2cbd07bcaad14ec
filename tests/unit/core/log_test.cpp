// SPDX-License-Identifier: Apache-2.0
// The form of a line, the level, and the limit on what a guest can cause.
#include "core/log.hpp"

#include <gtest/gtest.h>

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
