// SPDX-License-Identifier: Apache-2.0
// The keyboard controller: resets, and the dialogues by which drivers look for it.
#include "devices/minimal/i8042.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

struct CountingPower final : PowerSink {
  u32 resets = 0;
  void power_off() override {}
  void reset() override { ++resets; }
};

struct I8042Test : testing::Test {
  CountingPower power;
  I8042 controller{power};

  void command(u8 value) { controller.write_port(I8042::kCommandPort, value); }
  void data(u8 value) { controller.write_port(I8042::kDataPort, value); }
  u8 status() { return controller.read_port(I8042::kCommandPort); }
  u8 answer() { return controller.read_port(I8042::kDataPort); }
  bool has_answer() { return (status() & 1) != 0; }
};

TEST_F(I8042Test, CommandFeResets) {
  command(0xfe);
  EXPECT_EQ(power.resets, 1u);
}

TEST_F(I8042Test, PulseOfOtherLinesDoesNotReset) {
  command(0xff);
  command(0xfd);
  EXPECT_EQ(power.resets, 0u);
}

TEST_F(I8042Test, OutputPortWithResetLineLowResets) {
  command(0xd1);
  data(0x02);
  EXPECT_EQ(power.resets, 1u);
}

TEST_F(I8042Test, OutputPortForAddressLine20DoesNotReset) {
  command(0xd1);
  data(0xdf);
  EXPECT_EQ(power.resets, 0u);
}

TEST_F(I8042Test, ResetValueAsDataIsNoCommand) {
  data(0xfe);
  EXPECT_EQ(power.resets, 0u);
}

TEST_F(I8042Test, StartsWithoutOutput) {
  EXPECT_FALSE(has_answer());
}

TEST_F(I8042Test, InputBufferIsNeverFull) {
  for (u32 value = 0; value < 0xf0; ++value) {
    command(static_cast<u8>(value));
    ASSERT_EQ(status() & 2, 0);
    data(0);
    ASSERT_EQ(status() & 2, 0);
  }
}

TEST_F(I8042Test, SelfTestPasses) {
  command(0xaa);
  EXPECT_TRUE(has_answer());
  EXPECT_EQ(answer(), 0x55);
  EXPECT_FALSE(has_answer());
}

TEST_F(I8042Test, CommandByteReadsAsWritten) {
  command(0x60);
  data(0x61);
  command(0x20);
  EXPECT_EQ(answer(), 0x61);
}

TEST_F(I8042Test, CommandByteReadsTheSameTwice) {
  command(0x20);
  const u8 first = answer();
  command(0x20);
  EXPECT_EQ(answer(), first);
}

TEST_F(I8042Test, PortSwitchesShowInTheCommandByte) {
  command(0xae);
  command(0x20);
  EXPECT_EQ(answer() & 0x10, 0);
  command(0xad);
  command(0x20);
  EXPECT_EQ(answer() & 0x10, 0x10);
}

TEST_F(I8042Test, KeyboardPortTestPasses) {
  command(0xab);
  EXPECT_TRUE(has_answer());
  EXPECT_EQ(answer(), 0x00);
}

TEST_F(I8042Test, SecondPortTestFails) {
  command(0xa9);
  EXPECT_TRUE(has_answer());
  EXPECT_EQ(answer(), 0x01);
}

TEST_F(I8042Test, LoopOfSecondPortAnswersWithoutItsMark) {
  command(0xd3);
  data(0x5a);
  EXPECT_EQ(status() & 0x21, 0x01);
  EXPECT_EQ(answer(), 0x5a);
}

TEST_F(I8042Test, KeyIsNotLocked) {
  EXPECT_EQ(status() & 0x10, 0x10);
}

TEST_F(I8042Test, BytesForTheKeyboardVanish) {
  data(0xf2);
  EXPECT_FALSE(has_answer());
}

TEST_F(I8042Test, NewCommandForgetsTheAwaitedByte) {
  command(0xd1);
  command(0xad);
  data(0x00);
  EXPECT_EQ(power.resets, 0u);
}

TEST_F(I8042Test, OtherPortsReadAllOnes) {
  EXPECT_EQ(controller.read_port(0x62), 0xff);
}

TEST_F(I8042Test, AttachClaimsTheTwoPortsOnly) {
  Bus ports;
  controller.attach(ports);
  std::byte byte{};
  EXPECT_TRUE(ports.read(0x60, {&byte, 1}));
  EXPECT_FALSE(ports.read(0x61, {&byte, 1}));
  EXPECT_TRUE(ports.read(0x64, {&byte, 1}));
}

TEST_F(I8042Test, StateMakesARoundTrip) {
  command(0x60);
  data(0x47);
  command(0xaa);
  command(0xd1);
  const auto state = controller.save();
  I8042 other(power);
  other.restore(state);
  EXPECT_EQ(other.save(), state);
  EXPECT_EQ(other.read_port(I8042::kDataPort), 0x55);
}

TEST_F(I8042Test, RestoreDropsWhatCannotBe) {
  I8042::State state;
  state.status = 0xff;
  state.pending = 0xaa;
  controller.restore(state);
  EXPECT_EQ(status() & 0xe3, 0);
  EXPECT_EQ(controller.save().pending, 0);
}

}  // namespace
}  // namespace mote
