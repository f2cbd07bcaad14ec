// SPDX-License-Identifier: Apache-2.0
// The 8259 pair: initialisation, priorities, ends of interrupts, cascade, modes.
#include "devices/minimal/pic.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

struct CountingOutput final : PicOutput {
  u32 calls = 0;
  void interrupt_requested() override { ++calls; }
};

/// Vectors 20h..27h and 28h..2fh, nothing masked.
struct PicTest : testing::Test {
  CountingOutput output;
  PicPair pic{output};

  void out(u16 port, u8 value) { pic.write_port(port, value); }
  u8 in(u16 port) { return pic.read_port(port); }
  void initialise(u8 icw4 = 0x01) {
    out(0x20, 0x11);
    out(0x21, 0x20);
    out(0x21, 0x04);
    out(0x21, icw4);
    out(0xa0, 0x11);
    out(0xa1, 0x28);
    out(0xa1, 0x02);
    out(0xa1, 0x01);
  }
  void pulse(u32 irq) {
    pic.set_level(irq, true);
    pic.set_level(irq, false);
  }
  u8 in_service(u16 port) {
    out(port, 0x0b);
    return in(port);
  }
  u8 requests(u16 port) {
    out(port, 0x0a);
    return in(port);
  }
};

constexpr std::optional<u8> kNothing;

TEST_F(PicTest, UninitialisedRaisesNothing) {
  out(0x21, 0x00);
  pulse(0);
  EXPECT_FALSE(pic.has_interrupt());
  EXPECT_EQ(pic.acknowledge(), kNothing);
  EXPECT_EQ(output.calls, 0u);
  EXPECT_FALSE(pic.drives(0));
}

TEST_F(PicTest, MaskCanBeProbedBeforeInitialisation) {
  out(0x21, 0xfb);
  EXPECT_EQ(in(0x21), 0xfb);
}

TEST_F(PicTest, HalfInitialisedRaisesNothing) {
  out(0x20, 0x11);
  out(0x21, 0x20);
  pulse(0);
  EXPECT_FALSE(pic.has_interrupt());
}

TEST_F(PicTest, EdgeIsDeliveredUnderItsVector) {
  initialise();
  pulse(3);
  EXPECT_TRUE(pic.has_interrupt());
  EXPECT_EQ(output.calls, 1u);
  EXPECT_EQ(pic.acknowledge(), 0x23);
  EXPECT_FALSE(pic.has_interrupt());
}

TEST_F(PicTest, SecondChipDeliversThroughTheCascade) {
  initialise();
  pulse(14);
  EXPECT_EQ(pic.acknowledge(), 0x2e);
  EXPECT_EQ(in_service(0x20), 0x04);
  EXPECT_EQ(in_service(0xa0), 0x40);
}

TEST_F(PicTest, NothingToAcknowledgeIsNothing) {
  initialise();
  EXPECT_EQ(pic.acknowledge(), kNothing);
  EXPECT_EQ(in_service(0x20), 0x00);
}

TEST_F(PicTest, MaskedEdgeWaitsForUnmasking) {
  initialise();
  out(0x21, 0x08);
  pulse(3);
  EXPECT_FALSE(pic.has_interrupt());
  EXPECT_EQ(requests(0x20), 0x08);
  out(0x21, 0x00);
  EXPECT_TRUE(pic.has_interrupt());
  EXPECT_EQ(output.calls, 1u);
}

TEST_F(PicTest, MaskedCascadeHoldsTheSecondChipBack) {
  initialise();
  out(0x21, 0x04);
  pulse(9);
  EXPECT_FALSE(pic.has_interrupt());
}

TEST_F(PicTest, LowerInputGoesFirst) {
  initialise();
  pulse(7);
  pulse(1);
  EXPECT_EQ(pic.acknowledge(), 0x21);
}

TEST_F(PicTest, SecondChipRanksAsInputTwo) {
  initialise();
  pulse(3);
  pulse(15);
  EXPECT_EQ(pic.acknowledge(), 0x2f);
}

TEST_F(PicTest, InServiceHoldsBackEqualAndLowerPriority) {
  initialise();
  pulse(3);
  EXPECT_EQ(pic.acknowledge(), 0x23);
  pulse(3);
  pulse(4);
  EXPECT_FALSE(pic.has_interrupt());
  out(0x20, 0x20);
  EXPECT_EQ(pic.acknowledge(), 0x23);
}

TEST_F(PicTest, HigherPriorityInterruptsTheHandler) {
  initialise();
  pulse(3);
  pic.acknowledge();
  pulse(0);
  EXPECT_EQ(pic.acknowledge(), 0x20);
  EXPECT_EQ(in_service(0x20), 0x09);
}

TEST_F(PicTest, PlainEoiEndsTheHighestInService) {
  initialise();
  pulse(3);
  pic.acknowledge();
  pulse(0);
  pic.acknowledge();
  out(0x20, 0x20);
  EXPECT_EQ(in_service(0x20), 0x08);
}

TEST_F(PicTest, SpecificEoiEndsTheNamedInput) {
  initialise();
  pulse(3);
  pic.acknowledge();
  pulse(0);
  pic.acknowledge();
  out(0x20, 0x63);
  EXPECT_EQ(in_service(0x20), 0x01);
}

TEST_F(PicTest, SecondPendingBehindTheCascadeComesAfterBothEois) {
  initialise();
  pulse(9);
  pulse(10);
  EXPECT_EQ(pic.acknowledge(), 0x29);
  out(0xa0, 0x20);
  EXPECT_FALSE(pic.has_interrupt());
  out(0x20, 0x20);
  EXPECT_EQ(pic.acknowledge(), 0x2a);
}

TEST_F(PicTest, AutoEoiLeavesNothingInService) {
  initialise(0x03);
  pulse(3);
  EXPECT_EQ(pic.acknowledge(), 0x23);
  EXPECT_EQ(in_service(0x20), 0x00);
}

TEST_F(PicTest, RotationOnEoiMakesTheServedInputLowest) {
  initialise();
  pulse(3);
  pic.acknowledge();
  out(0x20, 0xa0);
  pulse(3);
  pulse(5);
  EXPECT_EQ(pic.acknowledge(), 0x25);
}

TEST_F(PicTest, RotationOnSpecificEoiMakesTheNamedInputLowest) {
  initialise();
  pulse(3);
  pic.acknowledge();
  out(0x20, 0xe3);
  pulse(0);
  pulse(4);
  EXPECT_EQ(pic.acknowledge(), 0x24);
}

TEST_F(PicTest, RotationOnAutoEoi) {
  initialise(0x03);
  out(0x20, 0x80);
  pulse(3);
  pic.acknowledge();
  pulse(3);
  pulse(6);
  EXPECT_EQ(pic.acknowledge(), 0x26);
}

TEST_F(PicTest, SetPriorityChoosesTheLowest) {
  initialise();
  out(0x20, 0xc4);
  pulse(4);
  pulse(5);
  EXPECT_EQ(pic.acknowledge(), 0x25);
}

TEST_F(PicTest, SpecialMaskLetsLowerPriorityThrough) {
  initialise();
  pulse(1);
  pic.acknowledge();
  out(0x21, 0x02);
  pulse(5);
  EXPECT_FALSE(pic.has_interrupt());
  out(0x20, 0x68);
  EXPECT_EQ(pic.acknowledge(), 0x25);
}

TEST_F(PicTest, SpecialMaskKeepsMaskedInputsFromAPlainEoi) {
  initialise();
  pulse(1);
  pic.acknowledge();
  out(0x21, 0x02);
  out(0x20, 0x68);
  out(0x20, 0x20);
  EXPECT_EQ(in_service(0x20), 0x02);
}

TEST_F(PicTest, FullyNestedLetsTheSecondChipInterruptItself) {
  initialise(0x11);
  pulse(12);
  EXPECT_EQ(pic.acknowledge(), 0x2c);
  pulse(8);
  EXPECT_EQ(pic.acknowledge(), 0x28);
}

TEST_F(PicTest, WithoutFullyNestedTheSecondChipWaits) {
  initialise();
  pulse(12);
  pic.acknowledge();
  pulse(8);
  EXPECT_FALSE(pic.has_interrupt());
}

TEST_F(PicTest, PollAcknowledgesAndTellsTheInput) {
  initialise();
  pulse(6);
  out(0x20, 0x0c);
  EXPECT_EQ(in(0x20), 0x86);
  EXPECT_EQ(in_service(0x20), 0x40);
  EXPECT_FALSE(pic.has_interrupt());
}

TEST_F(PicTest, PollWithoutRequestReadsZero) {
  initialise();
  out(0x20, 0x0c);
  EXPECT_EQ(in(0x20), 0x00);
}

TEST_F(PicTest, LevelInputRequestsWhileHigh) {
  initialise();
  out(0x4d1, 0x02);
  pic.set_level(9, true);
  EXPECT_EQ(pic.acknowledge(), 0x29);
  out(0xa0, 0x20);
  out(0x20, 0x20);
  EXPECT_EQ(pic.acknowledge(), 0x29);
}

TEST_F(PicTest, LevelInputThatFellRequestsNothing) {
  initialise();
  out(0x4d1, 0x02);
  pic.set_level(9, true);
  pic.set_level(9, false);
  EXPECT_FALSE(pic.has_interrupt());
}

TEST_F(PicTest, ElcrKeepsTheSystemInputsAtEdge) {
  out(0x4d0, 0xff);
  out(0x4d1, 0xff);
  EXPECT_EQ(in(0x4d0), 0xf8);
  EXPECT_EQ(in(0x4d1), 0xde);
}

TEST_F(PicTest, InitialisationForgetsEdgesButNotElcr) {
  initialise();
  out(0x4d0, 0x20);
  out(0x21, 0xff);
  pulse(3);
  initialise();
  EXPECT_FALSE(pic.has_interrupt());
  EXPECT_EQ(in(0x4d0), 0x20);
}

TEST_F(PicTest, InputTwoIsNotADevices) {
  initialise();
  pulse(2);
  EXPECT_FALSE(pic.has_interrupt());
}

TEST_F(PicTest, OutputIsAnnouncedOncePerRise) {
  initialise();
  pulse(5);
  pulse(3);
  EXPECT_EQ(output.calls, 1u);
  pic.acknowledge();
  pulse(1);
  EXPECT_EQ(output.calls, 2u);
}

TEST_F(PicTest, DrivesWhatIsUnmaskedOnTheWay) {
  initialise();
  out(0x21, 0xdf);
  out(0xa1, 0x00);
  EXPECT_TRUE(pic.drives(5));
  EXPECT_FALSE(pic.drives(4));
  EXPECT_FALSE(pic.drives(9)) << "the cascade is masked";
  out(0x21, 0xfb);
  EXPECT_TRUE(pic.drives(9));
  EXPECT_FALSE(pic.drives(16));
}

TEST_F(PicTest, AttachClaimsItsPorts) {
  Bus ports;
  pic.attach(ports);
  std::byte byte{};
  for (const u64 port : {0x20u, 0x21u, 0xa0u, 0xa1u, 0x4d0u, 0x4d1u}) {
    EXPECT_TRUE(ports.read(port, {&byte, 1})) << port;
  }
}

TEST_F(PicTest, StateMakesARoundTrip) {
  initialise();
  out(0x4d1, 0x02);
  pulse(14);
  pic.acknowledge();
  pulse(3);
  pulse(1);
  const auto state = pic.save();
  PicPair other(output);
  const u32 calls = output.calls;
  other.restore(state);
  EXPECT_EQ(other.save(), state);
  EXPECT_EQ(output.calls, calls);
  EXPECT_TRUE(other.has_interrupt());
  EXPECT_EQ(other.acknowledge(), 0x21);
}

TEST_F(PicTest, RestoreDropsWhatCannotBe) {
  PicPair::State state;
  state.first.lowest = 0xff;
  state.first.next_icw = 0xff;
  state.first.vector_base = 0xff;
  pic.restore(state);
  EXPECT_EQ(pic.save().first.lowest, 7);
  EXPECT_EQ(pic.save().first.next_icw, 0);
  EXPECT_EQ(pic.save().first.vector_base, 0xf8);
}

}  // namespace
}  // namespace mote
