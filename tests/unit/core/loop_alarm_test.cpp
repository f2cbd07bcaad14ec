// SPDX-License-Identifier: Apache-2.0
// Alarms on a real loop: when they fire, how often, and from whose arming.
#include "core/loop_alarm.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/unit/core/loop_thread.hpp"

namespace mote {
namespace {

constexpr u64 kMillisecond = 1'000'000;
constexpr u64 kHour = 3600 * 1000 * kMillisecond;

/// Notes when it was called, and may arm the alarm anew.
class Handler final : public AlarmHandler {
 public:
  explicit Handler(LoopAlarm& alarm) : alarm_(alarm) {}
  std::atomic<u32> rearm{0};  ///< how often to arm again, a millisecond ahead

  void on_alarm() override {
    called_at_ = alarm_.now_ns();
    thread_ = std::this_thread::get_id();
    if (rearm > 0) {
      --rearm;
      alarm_.arm(alarm_.now_ns() + kMillisecond);
    }
    calls_.completion().function(&calls_, 0);
  }
  bool wait(u32 calls) { return calls_.wait(calls).size() >= calls; }
  std::size_t calls() { return calls_.count(); }
  u64 called_at() const { return called_at_; }
  std::thread::id thread() const { return thread_; }

 private:
  LoopAlarm& alarm_;
  test::Results calls_;
  std::atomic<u64> called_at_{0};
  std::atomic<std::thread::id> thread_;
};

struct LoopAlarmTest : testing::Test {
  test::LoopThread thread;
  LoopAlarm alarm{thread.loop()};
  Handler handler{alarm};

  LoopAlarmTest() { alarm.set_handler(handler); }
  ~LoopAlarmTest() override { thread.stop(); }
  u64 in(u64 ns) const { return alarm.now_ns() + ns; }
};

TEST_F(LoopAlarmTest, FiresOnceAndNotBeforeItsTime) {
  thread.start();
  const u64 deadline = in(20 * kMillisecond);
  alarm.arm(deadline);
  ASSERT_TRUE(handler.wait(1));
  EXPECT_GE(handler.called_at(), deadline);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(handler.calls(), 1u);
}

TEST_F(LoopAlarmTest, ADeadlineThatHasPassedFiresAtOnce) {
  thread.start();
  alarm.arm(in(0) - 1000 * kMillisecond);
  ASSERT_TRUE(handler.wait(1));
  alarm.arm(0);
  EXPECT_TRUE(handler.wait(2));
}

TEST_F(LoopAlarmTest, ArmedBeforeTheLoopRunsItFires) {
  alarm.arm(in(kMillisecond));
  thread.start();
  EXPECT_TRUE(handler.wait(1));
}

TEST_F(LoopAlarmTest, ANewDeadlineReplacesTheOldOne) {
  thread.start();
  alarm.arm(in(kHour));
  alarm.arm(in(kMillisecond));
  ASSERT_TRUE(handler.wait(1));
  const u64 later = in(60 * kMillisecond);
  alarm.arm(in(5 * kMillisecond + kHour));
  alarm.arm(later);
  ASSERT_TRUE(handler.wait(2));
  EXPECT_GE(handler.called_at(), later);
}

TEST_F(LoopAlarmTest, CancelledItStaysSilent) {
  thread.start();
  alarm.arm(in(50 * kMillisecond));
  alarm.cancel();
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  EXPECT_EQ(handler.calls(), 0u);
  alarm.arm(in(kMillisecond));
  EXPECT_TRUE(handler.wait(1)) << "and can be armed again";
}

TEST_F(LoopAlarmTest, CancelOfWhatWasNeverArmedIsHarmless) {
  alarm.cancel();
  thread.start();
  thread.call([] {});
  EXPECT_EQ(handler.calls(), 0u);
}

TEST_F(LoopAlarmTest, TheHandlerMayArmItAnew) {
  thread.start();
  handler.rearm = 20;
  alarm.arm(in(0));
  EXPECT_TRUE(handler.wait(21));
}

TEST_F(LoopAlarmTest, TheHandlerRunsOnTheLoopsThread) {
  thread.start();
  std::thread::id loop_thread;
  thread.call([&loop_thread] { loop_thread = std::this_thread::get_id(); });
  std::thread([this] { alarm.arm(in(kMillisecond)); }).join();
  ASSERT_TRUE(handler.wait(1));
  EXPECT_EQ(handler.thread(), loop_thread);
}

TEST_F(LoopAlarmTest, ThreadsThatArmAtOnceLoseNoAlarm) {
  thread.start();
  std::vector<std::thread> armers;
  for (int i = 0; i < 4; ++i) {
    armers.emplace_back([this] {
      for (int round = 0; round < 500; ++round) {
        alarm.arm(in(kHour));
        if (round % 7 == 0) alarm.cancel();
      }
    });
  }
  for (std::thread& armer : armers) armer.join();
  EXPECT_EQ(handler.calls(), 0u);
  alarm.arm(in(kMillisecond));
  EXPECT_TRUE(handler.wait(1));
}

}  // namespace
}  // namespace mote
