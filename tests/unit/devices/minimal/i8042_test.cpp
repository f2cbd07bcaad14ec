// SPDX-License-Identifier: Apache-2.0
// The keyboard controller: resets, the dialogues by which drivers look for it, and its keyboard as
// a driver meets it.
#include "devices/minimal/i8042.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote {
namespace {

struct CountingPower final : PowerSink {
  u32 resets = 0;
  void power_off() override {}
  void reset() override { ++resets; }
};

struct I8042Test : testing::Test {
  static constexpr u8 kInterrupt = 0x01, kKeyboardOff = 0x10, kTranslate = 0x40;

  CountingPower power;
  FakeLine line;
  I8042 controller{line, power};

  void command(u8 value) { controller.write_port(I8042::kCommandPort, value); }
  void data(u8 value) { controller.write_port(I8042::kDataPort, value); }
  u8 status() { return controller.read_port(I8042::kCommandPort); }
  u8 answer() { return controller.read_port(I8042::kDataPort); }
  bool has_answer() { return (status() & 1) != 0; }
  void set_mode(u8 mode) {
    command(0x60);
    data(mode);
  }
  /// All that there is to read.
  std::vector<u8> answers() {
    std::vector<u8> bytes;
    while (has_answer() && bytes.size() < 100) bytes.push_back(answer());
    return bytes;
  }
  /// What the keyboard answers to a byte.
  std::vector<u8> keyboard(u8 value) {
    data(value);
    return answers();
  }
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
  I8042 other(line, power);
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

using Bytes = std::vector<u8>;
const Bytes kSet1 = {0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d};
const Bytes kSet2 = {0x14, 0x11, 0xe0, 0x71, 0xe0, 0xf0, 0x71, 0xf0, 0x11, 0xf0, 0x14};

TEST_F(I8042Test, KeysAreOfSet1WhenTheControllerTranslatesElseOfSet2) {
  set_mode(kInterrupt | kTranslate);
  EXPECT_TRUE(controller.send_ctrl_alt_del());
  EXPECT_EQ(answers(), kSet1);
  set_mode(kInterrupt);
  EXPECT_TRUE(controller.send_ctrl_alt_del());
  EXPECT_EQ(answers(), kSet2);
}

TEST_F(I8042Test, EachByteOfAKeyIsAnInterruptOfItsOwn) {
  set_mode(kInterrupt | kTranslate);
  ASSERT_TRUE(controller.send_ctrl_alt_del());
  for (u32 i = 0; i < kSet1.size(); ++i) {
    EXPECT_TRUE(line.high);
    EXPECT_EQ(line.rises, i + 1) << "no next byte before this one is read";
    EXPECT_TRUE(has_answer());
    EXPECT_EQ(status() & 0x20, 0) << "not the second port's";
    EXPECT_EQ(answer(), kSet1[i]);
  }
  EXPECT_FALSE(line.high);
  EXPECT_FALSE(has_answer());
  EXPECT_EQ(line.rises, kSet1.size());
}

TEST_F(I8042Test, WithoutTheInterruptAKeyCanBePolled) {
  set_mode(kTranslate);
  ASSERT_TRUE(controller.send_ctrl_alt_del());
  EXPECT_EQ(line.calls, 0u);
  EXPECT_TRUE(has_answer());
  set_mode(kInterrupt | kTranslate);
  EXPECT_TRUE(line.high) << "who switches it on later hears of what waits";
  EXPECT_EQ(answers(), kSet1);
}

TEST_F(I8042Test, NoKeyReachesAPortThatIsOff) {
  EXPECT_FALSE(controller.send_ctrl_alt_del()) << "as firmware leaves it";
  set_mode(kInterrupt | kKeyboardOff);
  EXPECT_FALSE(controller.send_ctrl_alt_del());
  command(0xae);
  EXPECT_FALSE(has_answer());
  EXPECT_TRUE(controller.send_ctrl_alt_del());
  EXPECT_TRUE(line.high);
  command(0xad);
  EXPECT_FALSE(has_answer()) << "the keyboard keeps what it has";
  EXPECT_FALSE(line.high);
  command(0xae);
  EXPECT_TRUE(line.high);
  EXPECT_EQ(answers(), kSet2);
}

TEST_F(I8042Test, AnAnswerComesBeforeKeysAndTakesNoneAway) {
  set_mode(kInterrupt);
  ASSERT_TRUE(controller.send_ctrl_alt_del());
  EXPECT_EQ(answer(), kSet2[0]);
  command(0x20);
  EXPECT_FALSE(line.high) << "an answer is no interrupt";
  EXPECT_EQ(answer(), kInterrupt);
  EXPECT_TRUE(line.high);
  EXPECT_EQ(answers(), Bytes(kSet2.begin() + 1, kSet2.end()));
}

TEST_F(I8042Test, WhoDoesNotReadGetsOneSequenceAndIsRemindedOfIt) {
  set_mode(kInterrupt);
  EXPECT_TRUE(controller.send_ctrl_alt_del());
  EXPECT_FALSE(controller.send_ctrl_alt_del());
  EXPECT_EQ(line.rises, 2u);
  EXPECT_EQ(answers(), kSet2);
  EXPECT_TRUE(controller.send_ctrl_alt_del());
}

// The dialogue of Linux's atkbd.
TEST_F(I8042Test, TheKeyboardAnswersItsDriver) {
  set_mode(kInterrupt);
  EXPECT_EQ(keyboard(0xff), (Bytes{0xfa, 0xaa})) << "reset";
  EXPECT_EQ(keyboard(0xf2), (Bytes{0xfa, 0xab, 0x83})) << "identify";
  EXPECT_EQ(keyboard(0xf5), Bytes{0xfa}) << "keys off";
  EXPECT_FALSE(controller.send_ctrl_alt_del());
  EXPECT_EQ(keyboard(0xed), Bytes{0xfa}) << "lights";
  EXPECT_EQ(keyboard(0x02), Bytes{0xfa});
  EXPECT_EQ(keyboard(0xf3), Bytes{0xfa}) << "repeat";
  EXPECT_EQ(keyboard(0x00), Bytes{0xfa});
  EXPECT_EQ(keyboard(0xf0), Bytes{0xfa}) << "which set?";
  EXPECT_EQ(keyboard(0x00), (Bytes{0xfa, 0x02}));
  EXPECT_EQ(keyboard(0xf4), Bytes{0xfa}) << "keys on";
  EXPECT_TRUE(controller.send_ctrl_alt_del());
}

TEST_F(I8042Test, AnswersOfTheKeyboardAreTranslatedAsWell) {
  set_mode(kInterrupt | kTranslate);
  EXPECT_EQ(keyboard(0xf2), (Bytes{0xfa, 0xab, 0x41}));
  EXPECT_EQ(keyboard(0xf0), Bytes{0xfa});
  EXPECT_EQ(keyboard(0x00), (Bytes{0xfa, 0x41}));
}

TEST_F(I8042Test, TheKeyboardEchoesAndAsksAgainForWhatItDoesNotKnow) {
  EXPECT_EQ(keyboard(0xee), Bytes{0xee});
  EXPECT_EQ(keyboard(0x00), Bytes{0xfe});
  EXPECT_EQ(keyboard(0xec), Bytes{0xfe});
}

TEST_F(I8042Test, ACommandInTheArgumentsPlaceIsACommand) {
  set_mode(kTranslate);
  EXPECT_EQ(keyboard(0xed), Bytes{0xfa});
  EXPECT_EQ(keyboard(0xf4), Bytes{0xfa});
  EXPECT_EQ(keyboard(0x00), Bytes{0xfe}) << "nothing awaits it";
}

TEST_F(I8042Test, TalkingToTheKeyboardSwitchesItsPortOn) {
  set_mode(kInterrupt | kKeyboardOff);
  EXPECT_EQ(keyboard(0xf4), Bytes{0xfa});
  command(0x20);
  EXPECT_EQ(answer(), kInterrupt);
}

TEST_F(I8042Test, AWriterWhoNeverReadsFillsTheKeyboardsBufferOnly) {
  set_mode(kInterrupt);
  for (int i = 0; i < 100; ++i) data(0xee);
  EXPECT_EQ(answers(), Bytes(Keyboard::kBufferSize, 0xee));
  for (int i = 0; i < 100; ++i) data(0xee);
  EXPECT_EQ(keyboard(0xff), (Bytes{0xfa, 0xaa})) << "a reset helps";
}

TEST_F(I8042Test, BytesForTheSecondPortAreNotTheKeyboards) {
  command(0xd4);
  data(0xf2);
  EXPECT_FALSE(has_answer());
}

TEST_F(I8042Test, KeysOnTheirWayAreState) {
  set_mode(kInterrupt);
  ASSERT_TRUE(controller.send_ctrl_alt_del());
  EXPECT_EQ(answer(), kSet2[0]);
  EXPECT_EQ(line.rises, 2u);
  FakeLine other_line;
  I8042 other(other_line, power);
  other.restore(controller.save());
  EXPECT_EQ(other.save(), controller.save());
  EXPECT_EQ(other_line.calls, 0u) << "its level is the interrupt controllers' state";
  EXPECT_EQ(other.read_port(I8042::kDataPort), kSet2[1]);
  EXPECT_EQ(other_line.rises, 1u) << "the next one is an edge again";
}

TEST_F(I8042Test, RestoreBoundsTheKeyboard) {
  I8042::State state;
  state.keyboard.count = 255;
  state.keyboard.pending = 0xf4;
  controller.restore(state);
  EXPECT_EQ(answers().size(), Keyboard::kBufferSize);
  EXPECT_EQ(controller.save().keyboard.pending, 0);
}

}  // namespace
}  // namespace mote
