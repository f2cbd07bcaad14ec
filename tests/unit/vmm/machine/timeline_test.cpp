// SPDX-License-Identifier: Apache-2.0
// The boot timeline: what is kept, in which order, and its two forms.
#include "vmm/machine/timeline.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <thread>
#include <vector>

namespace mote {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

/// Whether quotes end, and brackets close in the order in which they were opened.
bool is_balanced(const std::string& json) {
  std::string open;
  bool quoted = false;
  for (const char c : json) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '{' || c == '[') open += c;
    if (c == '}' || c == ']') {
      if (open.empty() || open.back() != (c == '}' ? '{' : '[')) return false;
      open.pop_back();
    }
  }
  return open.empty() && !quoted;
}

TEST(TimelineTest, TheTableHasAHeadAndALinePerMoment) {
  Timeline timeline;
  timeline.mark("first");
  timeline.mark("second");
  const auto lines = lines_of(timeline.table());
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_NE(lines[1].find("0.000"), std::string::npos);
  EXPECT_NE(lines[1].find("process started"), std::string::npos);
  EXPECT_NE(lines[2].find("first"), std::string::npos);
  EXPECT_NE(lines[3].find("second"), std::string::npos);
}

TEST(TimelineTest, TimesGrowAndStepsAddUp) {
  Timeline timeline;
  timeline.mark("a");
  std::this_thread::sleep_for(std::chrono::milliseconds(3));
  timeline.mark("b");
  double at = 0;
  for (const std::string& line : lines_of(timeline.table())) {
    double ms = 0, step = 0;
    if (std::sscanf(line.c_str(), "%lf %lf", &ms, &step) != 2) continue;
    EXPECT_NEAR(ms - at, step, 0.0021);
    EXPECT_GE(ms, at);
    if (line.back() == 'b') {
      EXPECT_GE(step, 3.0);
    }
    at = ms;
  }
  EXPECT_GE(at, 3.0);
}

TEST(TimelineTest, NamesTheGuestsMarks) {
  Timeline timeline;
  timeline.guest_mark(1);
  timeline.guest_mark(2);
  timeline.guest_mark(3);
  timeline.guest_mark(255);
  const auto lines = lines_of(timeline.table());
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_NE(lines[2].find("guest: kernel entered"), std::string::npos);
  EXPECT_NE(lines[3].find("guest: init reached"), std::string::npos);
  EXPECT_NE(lines[4].find("guest: mark 3"), std::string::npos);
  EXPECT_NE(lines[5].find("guest: mark 255"), std::string::npos);
}

TEST(TimelineTest, TheTraceHasACompleteEventPerMoment) {
  Timeline timeline;
  timeline.mark("memory mapped");
  timeline.guest_mark(1);
  const std::string json = timeline.chrome_trace();
  EXPECT_TRUE(is_balanced(json)) << json;
  EXPECT_EQ(json.find("{\"displayTimeUnit\":\"ms\",\"traceEvents\":["), 0u);
  EXPECT_EQ(count(json, "\"ph\":\"X\""), 3u);
  EXPECT_EQ(count(json, "\"ts\":"), 3u);
  EXPECT_EQ(count(json, "\"dur\":"), 3u);
  EXPECT_EQ(count(json, "},\n{"), 2u) << "commas between events, none behind the last";
  EXPECT_EQ(json.find(",\n]"), std::string::npos);
  EXPECT_EQ(count(json, "\"cat\":\"monitor\""), 2u);
  EXPECT_EQ(count(json, "\"name\":\"guest: kernel entered\",\"cat\":\"guest\""), 1u);
  EXPECT_EQ(json.find("-nan"), std::string::npos);
  EXPECT_EQ(json.find(":-"), std::string::npos) << "no negative times";
}

TEST(TimelineTest, MomentsPastTheCapacityAreDropped) {
  Timeline timeline;
  for (int i = 0; i < 10'000; ++i) timeline.mark("step");
  const auto lines = lines_of(timeline.table());
  EXPECT_EQ(lines.size(), 257u);
  EXPECT_TRUE(is_balanced(timeline.chrome_trace()));
  EXPECT_EQ(count(timeline.chrome_trace(), "\"ph\""), 256u);
}

TEST(TimelineTest, AGuestThatFloodsLeavesRoomForTheMonitor) {
  Timeline timeline;
  for (int i = 0; i < 1000; ++i) timeline.guest_mark(9);
  timeline.mark("end");
  EXPECT_NE(timeline.table().find("  end\n"), std::string::npos);
}

TEST(TimelineThreads, MarksFromManyThreadsAreAllKept) {
  Timeline timeline;
  std::vector<std::thread> threads;
  for (u8 lane = 0; lane < 4; ++lane) {
    threads.emplace_back([&timeline, lane] {
      for (int i = 0; i < 50; ++i) timeline.guest_mark(static_cast<u8>(100 + lane));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string table = timeline.table();
  for (const char* mark : {"mark 100", "mark 101", "mark 102", "mark 103"}) {
    EXPECT_EQ(count(table, mark), 50u);
  }
}

}  // namespace
}  // namespace mote
