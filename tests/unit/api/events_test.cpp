// SPDX-License-Identifier: Apache-2.0
#include "api/events.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mote::api {
namespace {

TEST(EventLog, TellsEachReaderWhatIsNewToIt) {
  EventLog log;
  u64 first = 0;
  EXPECT_EQ(log.read(first), "");
  log.publish("configured");
  log.publish("crashed", R"("reason":"triple fault")");
  const std::string text = log.read(first);
  EXPECT_EQ(
      text.find("id: 1\nevent: configured\ndata: {\"event\":\"configured\",\"timestamp_ms\":"), 0U)
      << text;
  EXPECT_NE(text.find("id: 2\nevent: crashed\n"), std::string::npos);
  EXPECT_NE(text.find(",\"reason\":\"triple fault\"}\n\n"), std::string::npos);
  EXPECT_EQ(log.read(first), "");
  u64 second = 1;
  EXPECT_EQ(log.read(second).find("id: 2\n"), 0U);
}

TEST(EventLog, ForgetsTheOldest) {
  EventLog log;
  for (int i = 0; i < 100; ++i) log.publish("paused");
  u64 cursor = 0;
  const std::string text = log.read(cursor);
  EXPECT_EQ(text.find("id: 37\n"), 0U) << text.substr(0, 10);
  EXPECT_NE(text.find("id: 100\n"), std::string::npos);
  EXPECT_EQ(cursor, 100U);
  u64 beyond = 1000;
  EXPECT_EQ(log.read(beyond), "");
  EXPECT_EQ(beyond, 1000U);
}

}  // namespace
}  // namespace mote::api
