// SPDX-License-Identifier: Apache-2.0
// The 16550A as drivers use it; fuzz and thread tests stand beside it.
#include "devices/minimal/serial.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote {
namespace {

constexpr u64 kData = 0, kIer = 1, kIir = 2, kFcr = 2, kLcr = 3, kMcr = 4, kLsr = 5, kMsr = 6,
              kScr = 7;
constexpr u8 kNoInterrupt = 0x01, kEmpty = 0x02, kReceived = 0x04, kLineStatus = 0x06,
             kTimeout = 0x0c, kModem = 0x00;

struct FakeOutput final : SerialOutput {
  std::size_t capacity = 4096;
  std::string taken;
  std::size_t room() override { return capacity - std::min(capacity, taken.size()); }
  void put(std::span<const std::byte> bytes) override {
    for (const std::byte byte : bytes) taken += static_cast<char>(byte);
  }
};

struct FakeListener final : InputListener {
  u32 calls = 0;
  void on_input_room() override { ++calls; }
};

struct SerialTest : testing::Test {
  FakeLine line;
  FakeOutput output;
  Serial serial{line, output};

  u8 in(u64 offset) { return read8(serial, offset); }
  void out(u64 offset, u8 value) { write8(serial, offset, value); }
  u8 cause() { return in(kIir) & 0x0f; }
  void assert_rts() { out(kMcr, 0x03); }
  void receive(const std::string& text) { serial.receive(std::as_bytes(std::span(text))); }
};

// Registers ------------------------------------------------------------------------------------

TEST_F(SerialTest, ScratchKeepsItsValue) {
  out(kScr, 0xa5);
  EXPECT_EQ(in(kScr), 0xa5);
}

TEST_F(SerialTest, IerHasFourBits) {
  out(kIer, 0xff);
  EXPECT_EQ(in(kIer), 0x0f);
}

TEST_F(SerialTest, DivisorIsBehindTheLatchBit) {
  out(kLcr, 0x83);
  out(kData, 0x34);
  out(kIer, 0x12);
  EXPECT_EQ(in(kData), 0x34);
  EXPECT_EQ(in(kIer), 0x12);
  out(kLcr, 0x03);
  EXPECT_EQ(in(kIer), 0x00);
  EXPECT_EQ(output.taken, "");
}

TEST_F(SerialTest, DivisorIsNeverZeroAtStart) {
  out(kLcr, 0x80);
  EXPECT_NE(in(kData) | in(kIer), 0);
}

TEST_F(SerialTest, IirTellsWhetherFifosAreOn) {
  EXPECT_EQ(in(kIir) & 0xc0, 0x00);
  out(kFcr, 0x01);
  EXPECT_EQ(in(kIir) & 0xc0, 0xc0);
}

TEST_F(SerialTest, WideAccessIsSplitIntoBytes) {
  write_le(serial, kScr - 3, 4, 0x5a'00'00'08);
  EXPECT_EQ(in(kMcr), 0x08);
  EXPECT_EQ(in(kScr), 0x5a);
}

// Output ---------------------------------------------------------------------------------------

TEST_F(SerialTest, BytesReachTheOutput) {
  for (const char c : std::string("mote")) out(kData, static_cast<u8>(c));
  EXPECT_EQ(output.taken, "mote");
  EXPECT_EQ(serial.counters().sent, 4u);
}

TEST_F(SerialTest, TransmitterIsEmptyAtStart) {
  EXPECT_EQ(in(kLsr), 0x60);
}

TEST_F(SerialTest, ThreClearsWhileReaderIsSlow) {
  output.capacity = Serial::kTransmitFifo;
  EXPECT_EQ(in(kLsr) & 0x60, 0x60);
  out(kData, 'x');
  EXPECT_EQ(in(kLsr) & 0x60, 0x00);
  output.taken.clear();
  EXPECT_EQ(in(kLsr) & 0x60, 0x60);
}

TEST_F(SerialTest, WholeFifoFitsAfterThre) {
  output.capacity = Serial::kTransmitFifo;
  ASSERT_EQ(in(kLsr) & 0x20, 0x20);
  for (std::size_t i = 0; i < Serial::kTransmitFifo; ++i) out(kData, 'x');
  EXPECT_EQ(output.taken.size(), Serial::kTransmitFifo);
  EXPECT_EQ(serial.counters().send_dropped, 0u);
}

TEST_F(SerialTest, ByteWithoutRoomIsDroppedAndCounted) {
  output.capacity = 2;
  for (u32 i = 0; i < 5; ++i) out(kData, 'x');
  EXPECT_EQ(output.taken, "xx");
  EXPECT_EQ(serial.counters().send_dropped, 3u);
}

TEST_F(SerialTest, EnablingThriWithEmptyTransmitterInterrupts) {
  out(kIer, 0x02);
  EXPECT_TRUE(line.high);
  EXPECT_EQ(cause(), kEmpty);
}

TEST_F(SerialTest, ReadingTheCauseClearsThri) {
  out(kIer, 0x02);
  EXPECT_EQ(cause(), kEmpty);
  EXPECT_EQ(cause(), kNoInterrupt);
  EXPECT_FALSE(line.high);
}

TEST_F(SerialTest, TogglingThriRaisesItAgain) {
  out(kIer, 0x02);
  EXPECT_EQ(cause(), kEmpty);
  out(kIer, 0x00);
  out(kIer, 0x02);
  EXPECT_EQ(cause(), kEmpty);
}

TEST_F(SerialTest, RewritingThriDoesNotRaiseItAgain) {
  out(kIer, 0x02);
  EXPECT_EQ(cause(), kEmpty);
  out(kIer, 0x03);
  EXPECT_EQ(cause(), kNoInterrupt);
}

TEST_F(SerialTest, EachByteSentGivesANewEdge) {
  out(kIer, 0x02);
  const u32 before = line.rises;
  out(kData, 'a');
  out(kData, 'b');
  EXPECT_EQ(line.rises, before + 2);
}

TEST_F(SerialTest, ThriWaitsForTheSlowReader) {
  output.capacity = Serial::kTransmitFifo;
  out(kIer, 0x02);
  EXPECT_EQ(cause(), kEmpty);
  out(kData, 'x');
  EXPECT_FALSE(line.high);
  output.taken.clear();
  serial.output_drained();
  EXPECT_TRUE(line.high);
  EXPECT_EQ(cause(), kEmpty);
}

TEST_F(SerialTest, ThriEnabledWhileReaderIsSlowComesWhenDrained) {
  output.capacity = Serial::kTransmitFifo;
  out(kData, 'x');
  out(kIer, 0x02);
  EXPECT_FALSE(line.high);
  output.taken.clear();
  serial.output_drained();
  EXPECT_TRUE(line.high);
}

TEST_F(SerialTest, DrainingTooLittleDoesNotInterrupt) {
  output.capacity = Serial::kTransmitFifo;
  out(kIer, 0x02);
  cause();
  out(kData, 'x');
  out(kData, 'x');
  output.taken.pop_back();
  serial.output_drained();
  EXPECT_FALSE(line.high);
}

TEST_F(SerialTest, DrainingWithoutNeedDoesNotInterrupt) {
  out(kIer, 0x02);
  cause();
  serial.output_drained();
  EXPECT_FALSE(line.high);
}

TEST_F(SerialTest, PollingGuestLosesNothingToASlowReader) {
  output.capacity = Serial::kTransmitFifo;
  std::string seen;
  u32 sent = 0;
  for (u32 turn = 0; turn < 10'000 && sent < 500; ++turn) {
    if ((in(kLsr) & 0x20) != 0) {
      for (u32 i = 0; i < 16 && sent < 500; ++i) out(kData, static_cast<u8>('a' + sent++ % 26));
    } else {
      const std::size_t take = std::min<std::size_t>(3, output.taken.size());
      seen += output.taken.substr(0, take);
      output.taken.erase(0, take);
      serial.output_drained();
    }
  }
  seen += output.taken;
  ASSERT_EQ(seen.size(), 500u);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    ASSERT_EQ(seen[i], static_cast<char>('a' + static_cast<int>(i % 26)));
  }
}

TEST_F(SerialTest, PollingGuestTouchesNoInterruptLine) {
  out(kData, 'x');
  in(kLsr);
  EXPECT_EQ(line.calls, 0u);
}

// Input ----------------------------------------------------------------------------------------

TEST_F(SerialTest, ReceivedBytesComeInOrder) {
  out(kFcr, 0x01);
  receive("abc");
  EXPECT_EQ(in(kData), 'a');
  EXPECT_EQ(in(kData), 'b');
  EXPECT_EQ(in(kLsr) & 1, 1);
  EXPECT_EQ(in(kData), 'c');
  EXPECT_EQ(in(kLsr) & 1, 0);
}

TEST_F(SerialTest, EmptyFifoReadsZero) {
  EXPECT_EQ(in(kData), 0);
}

TEST_F(SerialTest, DataInterruptsBelowTheTriggerAsTimeout) {
  out(kFcr, 0xc1);  // trigger 14
  out(kIer, 0x01);
  receive("a");
  EXPECT_TRUE(line.high);
  EXPECT_EQ(cause(), kTimeout);
}

TEST_F(SerialTest, DataInterruptsAtTheTriggerAsReceived) {
  out(kFcr, 0x41);  // trigger 4
  out(kIer, 0x01);
  receive("abcd");
  EXPECT_EQ(cause(), kReceived);
}

TEST_F(SerialTest, DataInterruptsWithoutFifoAsReceived) {
  out(kIer, 0x01);
  receive("a");
  EXPECT_EQ(cause(), kReceived);
}

TEST_F(SerialTest, DataInterruptEndsWithTheLastByte) {
  out(kFcr, 0x01);
  out(kIer, 0x01);
  receive("ab");
  in(kData);
  EXPECT_TRUE(line.high);
  in(kData);
  EXPECT_FALSE(line.high);
}

TEST_F(SerialTest, ReadingTheCauseDoesNotClearData) {
  out(kIer, 0x01);
  receive("a");
  cause();
  EXPECT_EQ(cause(), kReceived);
}

TEST_F(SerialTest, DataGoesBeforeThri) {
  out(kFcr, 0x01);
  out(kIer, 0x03);
  receive("a");
  EXPECT_EQ(cause(), kReceived);
  in(kData);
  EXPECT_EQ(cause(), kEmpty);
}

TEST_F(SerialTest, RoomIsOneByteWithoutFifo) {
  assert_rts();
  EXPECT_EQ(serial.input_room(), 1u);
  receive("a");
  EXPECT_EQ(serial.input_room(), 0u);
}

TEST_F(SerialTest, RoomIsTheFifoLessWhatIsInIt) {
  assert_rts();
  out(kFcr, 0x01);
  receive("abc");
  EXPECT_EQ(serial.input_room(), Serial::kReceiveFifo - 3);
}

TEST_F(SerialTest, InputTakenByRoomIsNeverLost) {
  assert_rts();
  out(kFcr, 0x01);
  receive(std::string(serial.input_room(), 'x'));
  EXPECT_EQ(serial.input_room(), 0u);
  EXPECT_EQ(in(kLsr) & 0x02, 0);
  EXPECT_EQ(serial.counters().receive_dropped, 0u);
}

TEST_F(SerialTest, InputUnderWayOutlivesFifoBeingOff) {
  assert_rts();
  out(kFcr, 0x01);
  const std::size_t room = serial.input_room();
  out(kFcr, 0x00);
  receive(std::string(room, 'x'));
  EXPECT_EQ(serial.counters().receive_dropped, 0u);
}

TEST_F(SerialTest, FifoResetEmptiesTheReceiver) {
  out(kFcr, 0x01);
  receive("abc");
  out(kFcr, 0x03);
  EXPECT_EQ(in(kLsr) & 1, 0);
}

TEST_F(SerialTest, SwitchingTheFifoEmptiesTheReceiver) {
  out(kFcr, 0x01);
  receive("abc");
  out(kFcr, 0x00);
  EXPECT_EQ(in(kLsr) & 1, 0);
}

TEST_F(SerialTest, ListenerHearsWhenAFullFifoHasRunEmpty) {
  assert_rts();
  FakeListener listener;
  serial.set_input_listener(listener);
  out(kFcr, 0x01);
  receive(std::string(Serial::kReceiveFifo, 'x'));
  ASSERT_EQ(serial.input_room(), 0u);
  for (std::size_t i = 1; i < Serial::kReceiveFifo; ++i) in(kData);
  EXPECT_EQ(listener.calls, 0u);
  in(kData);
  EXPECT_EQ(listener.calls, 1u);
}

TEST_F(SerialTest, ListenerIsLeftAloneWhenNobodyWasRefused) {
  FakeListener listener;
  serial.set_input_listener(listener);
  out(kFcr, 0x01);
  receive("a");
  in(kData);
  EXPECT_EQ(listener.calls, 0u);
}

TEST_F(SerialTest, ListenerHearsOfAFifoReset) {
  assert_rts();
  FakeListener listener;
  serial.set_input_listener(listener);
  receive("a");
  ASSERT_EQ(serial.input_room(), 0u);
  out(kFcr, 0x03);
  EXPECT_EQ(listener.calls, 1u);
}

TEST_F(SerialTest, ListenerHearsOfTheEndOfLoopBack) {
  FakeListener listener;
  serial.set_input_listener(listener);
  out(kMcr, 0x12);
  ASSERT_EQ(serial.input_room(), 0u);
  out(kMcr, 0x02);
  EXPECT_EQ(listener.calls, 1u);
}

TEST_F(SerialTest, InputWaitsForADriver) {
  out(kFcr, 0x01);
  EXPECT_EQ(serial.input_room(), 0u);
}

TEST_F(SerialTest, InputIsWelcomeWithTheReceiveInterrupt) {
  FakeListener listener;
  serial.set_input_listener(listener);
  out(kFcr, 0x01);
  ASSERT_EQ(serial.input_room(), 0u);
  out(kIer, 0x01);
  EXPECT_EQ(listener.calls, 1u);
  EXPECT_EQ(serial.input_room(), Serial::kReceiveFifo);
}

TEST_F(SerialTest, InputIsWelcomeToADriverThatPolls) {
  out(kFcr, 0x01);
  for (int i = 0; i < 64; ++i) in(kLsr);
  EXPECT_EQ(serial.input_room(), Serial::kReceiveFifo);
}

TEST_F(SerialTest, WaitingForTheTransmitterIsNotPolling) {
  out(kFcr, 0x01);
  for (int i = 0; i < 64; ++i) {
    in(kLsr);
    in(kLsr);
    out(kData, 'x');
  }
  EXPECT_EQ(serial.input_room(), 0u);
}

// Modem lines and loop-back ----------------------------------------------------------------------

TEST_F(SerialTest, PeerIsThereAndReady) {
  EXPECT_EQ(in(kMsr), 0xb0);
}

TEST_F(SerialTest, LoopBackShowsOurOutputsAsInputs) {
  out(kMcr, 0x1a);  // RTS and OUT2, as drivers probe with
  EXPECT_EQ(in(kMsr) & 0xf0, 0x90);
  out(kMcr, 0x15);  // DTR and OUT1
  EXPECT_EQ(in(kMsr) & 0xf0, 0x60);
}

TEST_F(SerialTest, LoopBackReturnsWhatIsSent) {
  out(kMcr, 0x10);
  out(kData, 'L');
  EXPECT_EQ(in(kLsr) & 0x61, 0x61);
  EXPECT_EQ(in(kData), 'L');
  EXPECT_EQ(output.taken, "");
}

TEST_F(SerialTest, LoopBackCanOverrun) {
  out(kFcr, 0x01);
  out(kIer, 0x04);
  out(kMcr, 0x10);
  for (std::size_t i = 0; i <= Serial::kReceiveFifo; ++i) out(kData, 'x');
  EXPECT_EQ(cause(), kLineStatus);
  EXPECT_EQ(in(kLsr) & 0x02, 0x02);
  EXPECT_EQ(in(kLsr) & 0x02, 0x00);
  EXPECT_FALSE(line.high);
}

TEST_F(SerialTest, ModemChangesInterruptUntilRead) {
  out(kMcr, 0x10);
  in(kMsr);
  out(kIer, 0x08);
  EXPECT_FALSE(line.high);
  out(kMcr, 0x12);
  EXPECT_EQ(cause(), kModem);
  EXPECT_EQ(in(kMsr), 0x11);
  EXPECT_FALSE(line.high);
}

TEST_F(SerialTest, RingIsReportedWhenItEnds) {
  out(kMcr, 0x14);
  EXPECT_EQ(in(kMsr) & 0x04, 0);
  out(kMcr, 0x10);
  EXPECT_EQ(in(kMsr) & 0x04, 0x04);
}

// State ----------------------------------------------------------------------------------------

TEST_F(SerialTest, StateMakesARoundTrip) {
  out(kFcr, 0x81);
  out(kIer, 0x03);
  out(kScr, 0x77);
  receive("abc");
  const auto state = serial.save();
  FakeLine other_line;
  Serial other(other_line, output);
  other.restore(state);
  EXPECT_EQ(other.save(), state);
  EXPECT_EQ(read8(other, kData), 'a');
}

TEST_F(SerialTest, RestoreDoesNotTouchTheLine) {
  out(kIer, 0x01);
  receive("a");
  FakeLine other_line;
  Serial other(other_line, output);
  other.restore(serial.save());
  EXPECT_EQ(other_line.calls, 0u);
  read8(other, kData);
  EXPECT_EQ(other_line.calls, 1u) << "the line was high and goes low";
}

TEST_F(SerialTest, RestoreClampsTheCount) {
  Serial::State state;
  state.received_count = 255;
  serial.restore(state);
  for (std::size_t i = 0; i < Serial::kReceiveFifo; ++i) {
    ASSERT_EQ(in(kLsr) & 1, 1);
    in(kData);
  }
  EXPECT_EQ(in(kLsr) & 1, 0);
}

}  // namespace
}  // namespace mote
