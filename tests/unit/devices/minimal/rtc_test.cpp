// SPDX-License-Identifier: Apache-2.0
// The real-time clock and the CMOS memory, against a clock of the test's own.
#include "devices/minimal/rtc.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote {
namespace {

u64 wall_ns = 0;
u64 wall_clock() {
  return wall_ns;
}

constexpr u64 kSecond = 1'000'000'000;
/// Thursday, 29 February 2024, 13:37:42 UTC.
constexpr u64 kLeapDay = 1'709'213'862;

struct RtcTest : testing::Test {
  Rtc rtc{{.below_4g = 3 * kGiB, .above_4g = 5 * kGiB}, wall_clock};
  RtcTest() { wall_ns = kLeapDay * kSecond; }

  u8 get(u8 index) {
    write8(rtc, 0, index);
    return read8(rtc, 1);
  }
  void set(u8 index, u8 value) {
    write8(rtc, 0, index);
    write8(rtc, 1, value);
  }
};

// Time -----------------------------------------------------------------------------------------

TEST_F(RtcTest, ShowsTheTimeInBcd) {
  EXPECT_EQ(get(0x00), 0x42);
  EXPECT_EQ(get(0x02), 0x37);
  EXPECT_EQ(get(0x04), 0x13);
}

TEST_F(RtcTest, ShowsTheDateInBcd) {
  EXPECT_EQ(get(0x06), 0x05);
  EXPECT_EQ(get(0x07), 0x29);
  EXPECT_EQ(get(0x08), 0x02);
  EXPECT_EQ(get(0x09), 0x24);
  EXPECT_EQ(get(0x32), 0x20);
}

TEST_F(RtcTest, ShowsTheTimeInBinary) {
  set(0x0b, 0x06);
  EXPECT_EQ(get(0x00), 42);
  EXPECT_EQ(get(0x04), 13);
}

TEST_F(RtcTest, ShowsTwelveHours) {
  set(0x0b, 0x00);
  EXPECT_EQ(get(0x04), 0x81);  // 1 p.m.
}

TEST_F(RtcTest, NoonAndMidnightAreTwelve) {
  set(0x0b, 0x00);
  wall_ns = (kLeapDay - kLeapDay % 86'400) * kSecond;
  EXPECT_EQ(get(0x04), 0x12);
  wall_ns += 12 * 3'600 * kSecond;
  EXPECT_EQ(get(0x04), 0x92);
}

TEST_F(RtcTest, TimePasses) {
  wall_ns += 20 * kSecond;
  EXPECT_EQ(get(0x00), 0x02);
  EXPECT_EQ(get(0x02), 0x38);
}

TEST_F(RtcTest, TimeBeyondFourDigitYearsDoesNotBreak) {
  wall_ns = ~u64{0};
  EXPECT_EQ(get(0x32), 0x25);  // 2554
}

TEST_F(RtcTest, GuestSetsTheTimeWithTheSetBit) {
  set(0x0b, 0x82);
  set(0x04, 0x08);
  set(0x02, 0x15);
  set(0x00, 0x30);
  set(0x07, 0x01);
  set(0x08, 0x12);
  set(0x09, 0x99);
  set(0x32, 0x19);
  set(0x0b, 0x02);
  wall_ns += 5 * kSecond;
  EXPECT_EQ(get(0x00), 0x35);
  EXPECT_EQ(get(0x04), 0x08);
  EXPECT_EQ(get(0x07), 0x01);
  EXPECT_EQ(get(0x08), 0x12);
  EXPECT_EQ(get(0x09), 0x99);
  EXPECT_EQ(get(0x32), 0x19);
}

TEST_F(RtcTest, TimeStandsStillWhileBeingSet) {
  set(0x0b, 0x82);
  wall_ns += 30 * kSecond;
  EXPECT_EQ(get(0x00), 0x42);
}

TEST_F(RtcTest, SetBitTurnedOffWithoutChangesGoesOnFromThere) {
  set(0x0b, 0x82);
  wall_ns += 30 * kSecond;
  set(0x0b, 0x02);
  wall_ns += 1 * kSecond;
  EXPECT_EQ(get(0x00), 0x43);
}

TEST_F(RtcTest, GuestSetsOneRegisterWithoutTheSetBit) {
  set(0x04, 0x20);
  EXPECT_EQ(get(0x04), 0x20);
  EXPECT_EQ(get(0x02), 0x37);
}

TEST_F(RtcTest, GuestSetsTheAfternoonInTwelveHours) {
  set(0x0b, 0x00);
  set(0x04, 0x92);
  set(0x0b, 0x02);
  EXPECT_EQ(get(0x04), 0x12);
}

TEST_F(RtcTest, NonsenseDatesCarryOver) {
  set(0x0b, 0x82);
  set(0x07, 0x31);
  set(0x0b, 0x02);
  EXPECT_EQ(get(0x07), 0x02);  // 31 February 2024 is 2 March
  EXPECT_EQ(get(0x08), 0x03);
}

TEST_F(RtcTest, AllOnesAsADateDoNotBreak) {
  set(0x0b, 0x82);
  for (const int i : {0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x32}) {
    set(static_cast<u8>(i), 0xff);
  }
  set(0x0b, 0x02);
  EXPECT_EQ(get(0x32), 0x99);
}

// Registers A to D ------------------------------------------------------------------------------

TEST_F(RtcTest, UpdateInProgressIsSetBeforeTheSecondEnds) {
  wall_ns = kLeapDay * kSecond + kSecond - 244'000;
  EXPECT_EQ(get(0x0a) & 0x80, 0x80);
  wall_ns += 244'000;
  EXPECT_EQ(get(0x0a) & 0x80, 0x00);
}

TEST_F(RtcTest, UpdateInProgressIsClearForTheRestOfTheSecond) {
  wall_ns = kLeapDay * kSecond + kSecond - 244'001;
  EXPECT_EQ(get(0x0a), 0x26);
}

TEST_F(RtcTest, UpdateInProgressIsClearWhileBeingSet) {
  set(0x0b, 0x82);
  wall_ns = kLeapDay * kSecond + kSecond - 1;
  EXPECT_EQ(get(0x0a) & 0x80, 0x00);
}

TEST_F(RtcTest, UpdateInProgressCannotBeWritten) {
  set(0x0a, 0xa6);
  EXPECT_EQ(get(0x0a), 0x26);
}

TEST_F(RtcTest, StartsInBcdAndTwentyFourHours) {
  EXPECT_EQ(get(0x0b), 0x02);
}

TEST_F(RtcTest, InterruptsCannotBeEnabled) {
  set(0x0b, 0x72);
  EXPECT_EQ(get(0x0b), 0x02);
}

TEST_F(RtcTest, UpdateEndedIsReportedOncePerSecond) {
  get(0x0c);
  EXPECT_EQ(get(0x0c), 0x00);
  wall_ns += kSecond;
  EXPECT_EQ(get(0x0c), 0x10);
  EXPECT_EQ(get(0x0c), 0x00);
}

TEST_F(RtcTest, BatteryIsGood) {
  set(0x0d, 0x00);
  EXPECT_EQ(get(0x0d), 0x80);
}

// Memory -----------------------------------------------------------------------------------------

TEST_F(RtcTest, IndexIgnoresTheNmiBit) {
  set(0x40, 0x5a);
  EXPECT_EQ(get(0xc0), 0x5a);
}

TEST_F(RtcTest, IndexReadsAllOnes) {
  EXPECT_EQ(read8(rtc, 0), 0xff);
}

TEST_F(RtcTest, WordWriteSetsIndexAndData) {
  write_le(rtc, 0, 2, 0x5a40);
  EXPECT_EQ(get(0x40), 0x5a);
}

TEST_F(RtcTest, TellsTheRamOfABigMachine) {
  EXPECT_EQ(get(0x15) | get(0x16) << 8, 640);
  EXPECT_EQ(get(0x17) | get(0x18) << 8, 0xffff);
  EXPECT_EQ(get(0x30) | get(0x31) << 8, 0xffff);
  EXPECT_EQ(get(0x34) | get(0x35) << 8, (3 * 1024 - 16) * 16);
  EXPECT_EQ(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, 5 * 1024 * 16);
}

TEST_F(RtcTest, TellsTheRamOfASmallMachine) {
  Rtc small({.below_4g = 8 * kMiB, .above_4g = 0}, wall_clock);
  const auto cmos = small.save().cmos;
  EXPECT_EQ(cmos[0x17] | cmos[0x18] << 8, 7 * 1024);
  EXPECT_EQ(cmos[0x34] | cmos[0x35] << 8, 0);
  EXPECT_EQ(cmos[0x5b] | cmos[0x5c] << 8 | cmos[0x5d] << 16, 0);
}

// State ----------------------------------------------------------------------------------------

TEST_F(RtcTest, StateMakesARoundTrip) {
  set(0x04, 0x20);
  set(0x40, 0x5a);
  const auto state = rtc.save();
  Rtc other({}, wall_clock);
  other.restore(state);
  EXPECT_EQ(other.save(), state);
  write8(other, 0, 0x04);
  EXPECT_EQ(read8(other, 1), 0x20);
}

TEST_F(RtcTest, RestoreDropsWhatCannotBe) {
  Rtc::State state;
  state.index = 0xff;
  state.offset_s = std::numeric_limits<i64>::max();
  rtc.restore(state);
  EXPECT_EQ(rtc.save().index, 0x7f);
  EXPECT_EQ(get(0x32), 0x99) << "the last year that four digits can show";
}

TEST_F(RtcTest, HostClockIsPlausible) {
  EXPECT_GT(host_wall_clock(), kLeapDay * kSecond);
}

}  // namespace
}  // namespace mote
