// SPDX-License-Identifier: Apache-2.0
// The power ports: which writes end the machine, and that no others do.
#include "devices/minimal/power.hpp"

#include <gtest/gtest.h>

#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote {
namespace {

struct CountingPower final : PowerSink {
  u32 offs = 0;
  u32 resets = 0;
  void power_off() override { ++offs; }
  void reset() override { ++resets; }
};

struct PowerTest : testing::Test {
  CountingPower sink;
  PowerPorts power{sink};
};

TEST_F(PowerTest, SleepTypeFiveWithEnablePowersOff) {
  write8(power, 0, 0x34);
  EXPECT_EQ(sink.offs, 1u);
}

TEST_F(PowerTest, SleepTypeWithoutEnableDoesNothing) {
  write8(power, 0, 0x14);
  EXPECT_EQ(sink.offs, 0u);
}

TEST_F(PowerTest, OtherSleepTypesDoNothing) {
  for (u8 type = 0; type < 8; ++type) {
    if (type != PowerPorts::kSleepTypeOff) write8(power, 0, static_cast<u8>(0x20 | type << 2));
  }
  EXPECT_EQ(sink.offs, 0u);
}

TEST_F(PowerTest, WideWriteToSleepControlDoesNothing) {
  write_le(power, 0, 2, 0x34);
  EXPECT_EQ(sink.offs, 0u);
}

TEST_F(PowerTest, ResetValueResets) {
  write8(power, 2, 0x01);
  EXPECT_EQ(sink.resets, 1u);
}

TEST_F(PowerTest, OtherResetValuesDoNothing) {
  write8(power, 2, 0x00);
  write8(power, 2, 0xff);
  EXPECT_EQ(sink.resets, 0u);
}

TEST_F(PowerTest, Pm1WordWithSleepEnablePowersOff) {
  write_le(power, 4, 2, 0x2000);
  EXPECT_EQ(sink.offs, 1u);
}

TEST_F(PowerTest, Pm1ByteDoesNothing) {
  write8(power, 4, 0xff);
  write8(power, 5, 0x20);
  EXPECT_EQ(sink.offs, 0u);
}

TEST_F(PowerTest, ControlAndStatusReadZeroOthersAllOnes) {
  EXPECT_EQ(read_le(power, 0, 4), 0xffff0000u);
  EXPECT_EQ(read_le(power, 4, 2), 0xffffu);
}

}  // namespace
}  // namespace mote
