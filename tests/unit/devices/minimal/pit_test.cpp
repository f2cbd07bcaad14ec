// SPDX-License-Identifier: Apache-2.0
// The 8254 and port 61h, against a clock of the test's own.
#include "devices/minimal/pit.hpp"

#include <gtest/gtest.h>

#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote {
namespace {

constexpr u64 kMs = 1'000'000;
/// Nanoseconds in which `ticks` have passed for sure, and not one more.
constexpr u64 ns(u64 ticks) {
  return ticks * 1'000'000'000 / PitChannel::kFrequencyHz + 1;
}

struct PitTest : testing::Test {
  FakeLine line;
  FakeAlarm alarm;
  Pit pit{line, alarm};
  PitTest() { alarm.handler = &pit; }

  void out(u16 port, u8 value) { pit.write_port(port, value); }
  u8 in(u16 port) { return pit.read_port(port); }
  /// Programs a channel, low and high byte.
  void program(u32 channel, u32 mode, u32 count, bool bcd = false) {
    out(0x43, static_cast<u8>(channel << 6 | 0x30 | mode << 1 | (bcd ? 1 : 0)));
    out(static_cast<u16>(0x40 + channel), static_cast<u8>(count));
    out(static_cast<u16>(0x40 + channel), static_cast<u8>(count >> 8));
  }
  u32 count(u32 channel) {
    out(0x43, static_cast<u8>(channel << 6));
    const u32 low = in(static_cast<u16>(0x40 + channel));
    return low | static_cast<u32>(in(static_cast<u16>(0x40 + channel))) << 8;
  }
  u8 status(u32 channel) {
    out(0x43, static_cast<u8>(0xe0 | 2u << channel));
    return in(static_cast<u16>(0x40 + channel));
  }
  bool out2() { return (in(0x61) & 0x20) != 0; }
  void gate2(bool high) { out(0x61, high ? 1 : 0); }
};

// Channel 0 and its interrupt --------------------------------------------------------------------

TEST_F(PitTest, UntouchedArmsNothing) {
  EXPECT_FALSE(alarm.deadline.has_value());
}

TEST_F(PitTest, RateGeneratorInterruptsAtItsRate) {
  program(0, 2, 11932);  // 100 Hz
  EXPECT_EQ(alarm.advance(1'005 * kMs), 100u);
  EXPECT_EQ(line.rises, 100u);
}

TEST_F(PitTest, SquareWaveInterruptsOncePerPeriod) {
  program(0, 3, 11932);
  alarm.advance(1'005 * kMs);
  EXPECT_EQ(line.rises, 100u);
}

TEST_F(PitTest, CountZeroIsTheLongestPeriod) {
  program(0, 2, 0);
  alarm.advance(10'000 * kMs);
  EXPECT_EQ(line.rises, 182u);
}

TEST_F(PitTest, TerminalCountInterruptsOnce) {
  program(0, 0, 1000);
  alarm.advance(ns(999));
  EXPECT_EQ(line.rises, 0u);
  alarm.advance(100 * kMs);
  EXPECT_EQ(line.rises, 1u);
  EXPECT_FALSE(alarm.deadline.has_value());
}

TEST_F(PitTest, StrobeInterruptsOnce) {
  program(0, 4, 1000);
  alarm.advance(100 * kMs);
  EXPECT_EQ(line.rises, 1u);
}

TEST_F(PitTest, LineIsLowAfterThePulse) {
  program(0, 0, 1000);
  alarm.advance(10 * kMs);
  EXPECT_FALSE(line.high);
}

TEST_F(PitTest, LateAlarmPulsesOnce) {
  program(0, 2, 11932);
  alarm.now += 1'000 * kMs;
  alarm.fire();
  EXPECT_EQ(line.rises, 1u);
  ASSERT_TRUE(alarm.deadline.has_value());
  EXPECT_GT(*alarm.deadline, alarm.now);
}

TEST_F(PitTest, LatenessDoesNotShiftThePhase) {
  program(0, 2, 11932);
  const u64 start = alarm.now;
  alarm.now += 15 * kMs;
  alarm.fire();
  EXPECT_EQ(*alarm.deadline, start + ns(2 * 11932));
}

TEST_F(PitTest, HostileCountIsBounded) {
  program(0, 2, 1);
  EXPECT_LE(alarm.advance(1'000 * kMs), 10'001u);
  EXPECT_GE(line.rises, 5'000u);
}

TEST_F(PitTest, ReprogrammingDoesNotOutrunTheBound) {
  for (u32 i = 0; i < 100; ++i) {
    program(0, 0, 2);
    alarm.advance(10'000);
  }
  EXPECT_LE(line.rises, 11u);
}

TEST_F(PitTest, ControlWordCancelsUntilACountComes) {
  program(0, 2, 11932);
  out(0x43, 0x34);
  EXPECT_FALSE(alarm.deadline.has_value());
  out(0x40, 0x00);
  EXPECT_FALSE(alarm.deadline.has_value());
  out(0x40, 0x10);
  EXPECT_TRUE(alarm.deadline.has_value());
}

TEST_F(PitTest, StaleAlarmIsIgnored) {
  program(0, 2, 11932);
  out(0x43, 0x34);
  alarm.fire();
  EXPECT_EQ(line.rises, 0u);
}

TEST_F(PitTest, EarlyAlarmArmsAgain) {
  program(0, 2, 11932);
  alarm.fire();
  EXPECT_EQ(line.rises, 0u);
  EXPECT_TRUE(alarm.deadline.has_value());
}

TEST_F(PitTest, TriggeredModesOfChannelZeroNeverInterrupt) {
  program(0, 1, 100);
  program(0, 5, 100);
  EXPECT_FALSE(alarm.deadline.has_value());
}

TEST_F(PitTest, OtherChannelsNeverArm) {
  gate2(true);
  program(1, 2, 18);
  program(2, 2, 100);
  EXPECT_FALSE(alarm.deadline.has_value());
}

// Counting -------------------------------------------------------------------------------------

TEST_F(PitTest, CountsDownFromTheCount) {
  program(0, 0, 5000);
  EXPECT_EQ(count(0), 5000u);
  alarm.now += ns(1200);
  EXPECT_EQ(count(0), 3800u);
}

TEST_F(PitTest, TerminalCountWrapsAndGoesOn) {
  program(0, 0, 10);
  alarm.now += ns(12);
  EXPECT_EQ(count(0), 0xfffeu);
}

TEST_F(PitTest, RateGeneratorReloads) {
  program(0, 2, 1000);
  alarm.now += ns(2300);
  EXPECT_EQ(count(0), 700u);
}

TEST_F(PitTest, SquareWaveCountsByTwo) {
  program(0, 3, 1000);
  alarm.now += ns(100);
  EXPECT_EQ(count(0), 800u);
  alarm.now += ns(500);
  EXPECT_EQ(count(0), 800u);
}

TEST_F(PitTest, BcdCountsInDecimal) {
  program(0, 0, 0x1000, true);
  alarm.now += ns(1);
  EXPECT_EQ(count(0), 0x0999u);
}

TEST_F(PitTest, BcdZeroIsTenThousand) {
  program(0, 2, 0, true);
  alarm.now += ns(1);
  EXPECT_EQ(count(0), 0x9999u);
}

TEST_F(PitTest, LatchHoldsUntilRead) {
  program(0, 0, 5000);
  out(0x43, 0x00);
  alarm.now += ns(1000);
  out(0x43, 0x00);
  EXPECT_EQ(in(0x40), 5000 & 0xff);
  EXPECT_EQ(in(0x40), 5000 >> 8);
  EXPECT_EQ(count(0), 4000u);
}

TEST_F(PitTest, LowByteAccessReadsAndWritesOneByte) {
  out(0x43, 0x10);
  out(0x40, 200);
  alarm.now += ns(50);
  EXPECT_EQ(in(0x40), 150);
}

TEST_F(PitTest, HighByteAccessReadsAndWritesOneByte) {
  out(0x43, 0x20);
  out(0x40, 0x10);
  alarm.now += ns(0x0400);
  EXPECT_EQ(in(0x40), 0x0c);
}

TEST_F(PitTest, UnlatchedReadsAlternateBytes) {
  program(0, 0, 0x1234);
  EXPECT_EQ(in(0x40), 0x34);
  EXPECT_EQ(in(0x40), 0x12);
}

TEST_F(PitTest, StatusTellsModeAccessAndOutput) {
  program(0, 2, 1000);
  EXPECT_EQ(status(0), 0xb4);
}

TEST_F(PitTest, StatusTellsThatTheCountIsMissing) {
  out(0x43, 0x34);
  EXPECT_EQ(status(0) & 0x40, 0x40);
}

TEST_F(PitTest, ReadBackLatchesStatusBeforeCount) {
  program(0, 0, 5000);
  out(0x43, 0xc2);
  EXPECT_EQ(in(0x40), 0x30);
  EXPECT_EQ(in(0x40), 5000 & 0xff);
  EXPECT_EQ(in(0x40), 5000 >> 8);
}

TEST_F(PitTest, ModesSixAndSevenAreTwoAndThree) {
  program(0, 7, 1000);
  EXPECT_EQ(status(0) & 0x0e, 0x06);
}

TEST_F(PitTest, ChannelOneCounts) {
  program(1, 2, 18);
  alarm.now += ns(4);
  EXPECT_EQ(count(1), 14u);
}

TEST_F(PitTest, ControlWordReadsAllOnes) {
  EXPECT_EQ(in(0x43), 0xff);
}

// Channel 2 and port 61h
// ---------------------------------------------------------------------------

TEST_F(PitTest, CalibrationSeesTheOutputRise) {
  gate2(true);
  program(2, 0, 59659);  // 50 ms
  EXPECT_FALSE(out2());
  alarm.now += ns(59658);
  EXPECT_FALSE(out2());
  alarm.now += ns(1);
  EXPECT_TRUE(out2());
}

TEST_F(PitTest, GateLowStopsTheCount) {
  gate2(true);
  program(2, 0, 1000);
  alarm.now += ns(400);
  gate2(false);
  alarm.now += 100 * kMs;
  EXPECT_EQ(count(2), 600u);
  gate2(true);
  alarm.now += ns(100);
  EXPECT_EQ(count(2), 500u);
}

TEST_F(PitTest, GateIsLowAtStart) {
  program(2, 0, 1000);
  alarm.now += 100 * kMs;
  EXPECT_EQ(count(2), 1000u);
  EXPECT_FALSE(out2());
}

TEST_F(PitTest, OneShotStartsWithTheGate) {
  program(2, 1, 1000);
  EXPECT_TRUE(out2());
  gate2(true);
  EXPECT_FALSE(out2());
  alarm.now += ns(1000);
  EXPECT_TRUE(out2());
}

TEST_F(PitTest, OneShotIsStartedAnewByTheGate) {
  program(2, 1, 1000);
  gate2(true);
  alarm.now += ns(900);
  gate2(false);
  gate2(true);
  alarm.now += ns(900);
  EXPECT_FALSE(out2());
}

TEST_F(PitTest, RisingGateStartsTheRateAnew) {
  gate2(true);
  program(2, 2, 1000);
  alarm.now += ns(700);
  gate2(false);
  EXPECT_TRUE(out2());
  gate2(true);
  EXPECT_EQ(count(2), 1000u);
}

TEST_F(PitTest, SquareWaveIsHighForTheFirstHalf) {
  gate2(true);
  program(2, 3, 1000);
  EXPECT_TRUE(out2());
  alarm.now += ns(500);
  EXPECT_FALSE(out2());
  alarm.now += ns(500);
  EXPECT_TRUE(out2());
}

TEST_F(PitTest, SystemControlKeepsItsFourBits) {
  out(0x61, 0xff);
  EXPECT_EQ(in(0x61) & 0xcf, 0x0f);
}

TEST_F(PitTest, RefreshBitToggles) {
  const u8 first = in(0x61) & 0x10;
  alarm.now += 15'085;
  EXPECT_NE(in(0x61) & 0x10, first);
}

// State ----------------------------------------------------------------------------------------

TEST_F(PitTest, StateMakesARoundTripOnAnotherClock) {
  gate2(true);
  program(0, 2, 11932);
  program(2, 0, 5000);
  alarm.now += ns(1000);
  const auto state = pit.save();
  FakeLine other_line;
  FakeAlarm other_alarm;
  other_alarm.now = 77;  // the time since the count was loaded is longer than this clock runs
  Pit other(other_line, other_alarm);
  other.restore(state);
  EXPECT_EQ(other.save(), state);
  ASSERT_TRUE(other_alarm.deadline.has_value());
  EXPECT_EQ(*other_alarm.deadline - other_alarm.now, *alarm.deadline - alarm.now);
}

TEST_F(PitTest, RestoreDropsWhatCannotBe) {
  Pit::State state;
  for (auto& channel : state.channels) {
    channel.mode = 255;
    channel.access = 255;
    channel.latched_bytes = 255;
    channel.loaded = channel.triggered = true;
    channel.elapsed_ns = ~u64{0};
  }
  pit.restore(state);
  for (const auto& channel : pit.save().channels) {
    EXPECT_LE(channel.mode, 5);
    EXPECT_EQ(channel.access, 3);
    EXPECT_LE(channel.latched_bytes, 2);
  }
}

TEST_F(PitTest, RestoreOfAnIdleStateArmsNothing) {
  program(0, 2, 11932);
  pit.restore(Pit::State{});
  EXPECT_FALSE(alarm.deadline.has_value());
}

}  // namespace
}  // namespace mote
