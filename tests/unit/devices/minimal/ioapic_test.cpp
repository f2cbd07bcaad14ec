// SPDX-License-Identifier: Apache-2.0
// The I/O APIC: registers, edge and level delivery, ends of interrupts, routes.
#include "devices/minimal/ioapic.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote {
namespace {

constexpr u32 kMasked = 1u << 16, kLevel = 1u << 15, kRemoteIrr = 1u << 14, kLogical = 1u << 11;
constexpr Pin kPin{5};

struct FakeSink final : MsiSink {
  std::vector<MsiMessage> delivered;
  std::array<std::optional<MsiMessage>, kPinCount> routes;
  u32 route_calls = 0;
  bool route_at_delivery = false;
  void deliver(const MsiMessage& message) override {
    delivered.push_back(message);
    route_at_delivery = routes[index(kPin)].has_value();
  }
  void set_route(Pin pin, const std::optional<MsiMessage>& message) override {
    EXPECT_NE(routes[index(pin)], message) << "a call that changes nothing";
    routes[index(pin)] = message;
    ++route_calls;
  }
};

struct IoApicTest : testing::Test {
  FakeSink sink;
  IoApic ioapic{sink};

  u32 get(u8 reg) {
    write_le(ioapic, 0, 4, reg);
    return static_cast<u32>(read_le(ioapic, 0x10, 4));
  }
  void set(u8 reg, u32 value) {
    write_le(ioapic, 0, 4, reg);
    write_le(ioapic, 0x10, 4, value);
  }
  static u8 low(Pin pin) { return static_cast<u8>(0x10 + 2 * index(pin)); }
  u32 entry(Pin pin = kPin) { return get(low(pin)); }
  void program(u32 bits, u32 high = 0, Pin pin = kPin) {
    set(static_cast<u8>(low(pin) + 1), high);
    set(low(pin), bits);
  }
  const std::optional<MsiMessage>& route(Pin pin = kPin) const { return sink.routes[index(pin)]; }
};

// Registers ------------------------------------------------------------------------------------

TEST_F(IoApicTest, VersionTellsTwentyFourEntriesAndNoEoiRegister) {
  EXPECT_EQ(get(1), 0x00170011u);
}

TEST_F(IoApicTest, VersionCannotBeWritten) {
  set(1, 0);
  EXPECT_EQ(get(1), 0x00170011u);
}

TEST_F(IoApicTest, IdHasFourBitsAndShowsInArbitration) {
  set(0, 0xffffffff);
  EXPECT_EQ(get(0), 0x0f000000u);
  EXPECT_EQ(get(2), 0x0f000000u);
}

TEST_F(IoApicTest, EntriesStartMasked) {
  for (u8 pin = 0; pin < kPinCount; ++pin) EXPECT_EQ(entry(Pin{pin}), kMasked);
}

TEST_F(IoApicTest, SelectTakesOneByte) {
  write8(ioapic, 0, 1);
  EXPECT_EQ(read_le(ioapic, 0x10, 4), 0x00170011u);
  EXPECT_EQ(read_le(ioapic, 0, 4), 1u);
}

TEST_F(IoApicTest, WindowIsNotWrittenByBytes) {
  write_le(ioapic, 0, 4, low(kPin));
  write8(ioapic, 0x10, 0x31);
  EXPECT_EQ(entry(), kMasked);
}

TEST_F(IoApicTest, OutOfRangeRegistersReadAllOnes) {
  EXPECT_EQ(get(0x10 + 2 * kPinCount), 0xffffffffu);
  EXPECT_EQ(get(0x0f), 0xffffffffu);
  EXPECT_EQ(get(0xff), 0xffffffffu);
}

TEST_F(IoApicTest, OtherOffsetsReadAllOnes) {
  EXPECT_EQ(read_le(ioapic, 0x40, 4), 0xffffffffu);
  EXPECT_EQ(read_le(ioapic, 0x10, 8), ~u64{0});
}

TEST_F(IoApicTest, ReadOnlyBitsCannotBeWritten) {
  program(kMasked | kLevel | kRemoteIrr | 1u << 12 | 0x31);
  EXPECT_EQ(entry(), kMasked | kLevel | 0x31);
}

TEST_F(IoApicTest, HighHalfKeepsTheDestination) {
  program(kMasked, 0x07000000);
  EXPECT_EQ(get(static_cast<u8>(low(kPin) + 1)), 0x07000000u);
}

// Messages -------------------------------------------------------------------------------------

TEST_F(IoApicTest, MessageCarriesVectorAndDestination) {
  program(0x31, 0x07000000);
  ioapic.set_level(kPin, true);
  ASSERT_EQ(sink.delivered.size(), 1u);
  EXPECT_EQ(sink.delivered[0], (MsiMessage{0xfee07000, 0, 0x31}));
}

TEST_F(IoApicTest, MessageCarriesLogicalModeAndLowestPriority) {
  program(kLogical | 0x100 | 0x31, 0xff000000);
  ioapic.set_level(kPin, true);
  ASSERT_EQ(sink.delivered.size(), 1u);
  EXPECT_EQ(sink.delivered[0], (MsiMessage{0xfeeff004, 0, 0x131}));
}

TEST_F(IoApicTest, MessageCarriesExtendedDestination) {
  program(0x31, 0x01fe0000);
  ioapic.set_level(kPin, true);
  ASSERT_EQ(sink.delivered.size(), 1u);
  EXPECT_EQ(sink.delivered[0].address_low, 0xfee01fe0u);
}

TEST_F(IoApicTest, MessageOfLevelEntrySaysSo) {
  program(kLevel | 0x31);
  ioapic.set_level(kPin, true);
  ASSERT_EQ(sink.delivered.size(), 1u);
  EXPECT_EQ(sink.delivered[0].data, 0xc031u);
}

TEST_F(IoApicTest, NmiIsAnEdgeWhateverTheTriggerBit) {
  program(kLevel | 0x400);
  ioapic.set_level(kPin, true);
  ASSERT_EQ(sink.delivered.size(), 1u);
  EXPECT_EQ(sink.delivered[0].data, 0x400u);
  EXPECT_EQ(entry() & kRemoteIrr, 0u);
}

TEST_F(IoApicTest, SmiExtIntAndReservedModesAreNotDelivered) {
  for (const u32 mode : {2u, 3u, 6u, 7u}) {
    program(mode << 8 | 0x31);
    ioapic.set_level(kPin, true);
    ioapic.set_level(kPin, false);
  }
  EXPECT_TRUE(sink.delivered.empty());
}

TEST_F(IoApicTest, IllegalVectorsAreNotDelivered) {
  program(0x0f);
  ioapic.set_level(kPin, true);
  EXPECT_TRUE(sink.delivered.empty());
}

// Edge -----------------------------------------------------------------------------------------

TEST_F(IoApicTest, EdgeDeliversOncePerRise) {
  program(0x31);
  ioapic.set_level(kPin, true);
  ioapic.set_level(kPin, true);
  ioapic.set_level(kPin, false);
  EXPECT_EQ(sink.delivered.size(), 1u);
  ioapic.set_level(kPin, true);
  EXPECT_EQ(sink.delivered.size(), 2u);
}

TEST_F(IoApicTest, EdgeAtMaskedEntryIsLost) {
  program(kMasked | 0x31);
  ioapic.set_level(kPin, true);
  program(0x31);
  EXPECT_TRUE(sink.delivered.empty());
}

TEST_F(IoApicTest, EdgeNeedsNoRoute) {
  program(0x31);
  ioapic.set_level(kPin, true);
  EXPECT_EQ(sink.route_calls, 0u);
}

TEST_F(IoApicTest, PinsAreIndependent) {
  program(0x31, 0, Pin{0});
  program(0x32, 0, Pin{23});
  ioapic.set_level(Pin{23}, true);
  ASSERT_EQ(sink.delivered.size(), 1u);
  EXPECT_EQ(sink.delivered[0].data, 0x32u);
}

// Level ----------------------------------------------------------------------------------------

TEST_F(IoApicTest, LevelSetsRemoteIrrAndHoldsBackTheNext) {
  program(kLevel | 0x31);
  ioapic.set_level(kPin, true);
  EXPECT_EQ(entry() & kRemoteIrr, kRemoteIrr);
  ioapic.set_level(kPin, false);
  ioapic.set_level(kPin, true);
  EXPECT_EQ(sink.delivered.size(), 1u);
}

TEST_F(IoApicTest, EoiRedeliversWhileTheLineIsHigh) {
  program(kLevel | 0x31);
  ioapic.set_level(kPin, true);
  ioapic.end_of_interrupt(0x31);
  EXPECT_EQ(sink.delivered.size(), 2u);
  EXPECT_EQ(entry() & kRemoteIrr, kRemoteIrr);
}

TEST_F(IoApicTest, EoiEndsWhenTheLineIsLow) {
  program(kLevel | 0x31);
  ioapic.set_level(kPin, true);
  ioapic.set_level(kPin, false);
  ioapic.end_of_interrupt(0x31);
  EXPECT_EQ(sink.delivered.size(), 1u);
  EXPECT_EQ(entry() & kRemoteIrr, 0u);
}

TEST_F(IoApicTest, EoiOfAnotherVectorChangesNothing) {
  program(kLevel | 0x31);
  ioapic.set_level(kPin, true);
  ioapic.end_of_interrupt(0x32);
  EXPECT_EQ(sink.delivered.size(), 1u);
  EXPECT_EQ(entry() & kRemoteIrr, kRemoteIrr);
}

TEST_F(IoApicTest, EoiReachesAllPinsWithTheVector) {
  for (const Pin pin : {Pin{9}, Pin{10}}) {
    program(kLevel | 0x31, 0, pin);
    ioapic.set_level(pin, true);
    ioapic.set_level(pin, false);
  }
  ioapic.end_of_interrupt(0x31);
  EXPECT_EQ(entry(Pin{9}) & kRemoteIrr, 0u);
  EXPECT_EQ(entry(Pin{10}) & kRemoteIrr, 0u);
}

TEST_F(IoApicTest, UnmaskingDeliversAHighLine) {
  ioapic.set_level(kPin, true);
  program(kLevel | 0x31);
  EXPECT_EQ(sink.delivered.size(), 1u);
}

TEST_F(IoApicTest, RouteStandsBeforeTheFirstDelivery) {
  ioapic.set_level(kPin, true);
  program(kLevel | 0x31);
  EXPECT_TRUE(sink.route_at_delivery);
}

TEST_F(IoApicTest, MaskedInServiceEndsAndDoesNotRedeliver) {
  program(kLevel | 0x31);
  ioapic.set_level(kPin, true);
  program(kMasked | kLevel | 0x31);
  EXPECT_TRUE(route().has_value()) << "the end would not be reported without";
  ioapic.end_of_interrupt(0x31);
  EXPECT_EQ(sink.delivered.size(), 1u);
  EXPECT_EQ(entry() & kRemoteIrr, 0u);
  EXPECT_FALSE(route().has_value());
  program(kLevel | 0x31);
  EXPECT_EQ(sink.delivered.size(), 2u);
}

TEST_F(IoApicTest, UnmaskingWithRemoteIrrWaitsForTheEnd) {
  program(kLevel | 0x31);
  ioapic.set_level(kPin, true);
  program(kMasked | kLevel | 0x31);
  program(kLevel | 0x31);
  EXPECT_EQ(sink.delivered.size(), 1u);
}

TEST_F(IoApicTest, VectorChangedInServiceEndsUnderTheOldOne) {
  program(kLevel | 0x31);
  ioapic.set_level(kPin, true);
  program(kLevel | 0x41, 0x02000000);
  ASSERT_TRUE(route().has_value());
  EXPECT_EQ(route()->data & 0xff, 0x31u);
  ioapic.end_of_interrupt(0x31);
  ASSERT_EQ(sink.delivered.size(), 2u);
  EXPECT_EQ(sink.delivered[1], (MsiMessage{0xfee02000, 0, 0xc041}));
  EXPECT_EQ(route()->data & 0xff, 0x41u);
}

TEST_F(IoApicTest, DetourOverEdgeClearsRemoteIrr) {
  program(kLevel | 0x31);
  ioapic.set_level(kPin, true);
  ioapic.set_level(kPin, false);
  program(kMasked | 0x31);
  program(kLevel | 0x31);
  EXPECT_EQ(entry() & kRemoteIrr, 0u);
  ioapic.set_level(kPin, true);
  EXPECT_EQ(sink.delivered.size(), 2u);
}

TEST_F(IoApicTest, SwitchToEdgeDoesNotDeliverAHighLine) {
  program(kLevel | 0x31);
  ioapic.set_level(kPin, true);
  program(0x31);
  EXPECT_EQ(sink.delivered.size(), 1u);
}

// Routes ---------------------------------------------------------------------------------------

TEST_F(IoApicTest, LevelEntryHasARouteWhileUnmasked) {
  program(kLevel | 0x31);
  ASSERT_TRUE(route().has_value());
  EXPECT_EQ(*route(), (MsiMessage{0xfee00000, 0, 0xc031}));
  program(kMasked | kLevel | 0x31);
  EXPECT_FALSE(route().has_value());
}

TEST_F(IoApicTest, IrqfdPinHasARouteAtEdgeToo) {
  ioapic.use_irqfd(kPin);
  program(0x31);
  ASSERT_TRUE(route().has_value());
  EXPECT_EQ(route()->data, 0x31u);
}

TEST_F(IoApicTest, IrqfdAnnouncedLateGetsItsRoute) {
  program(0x31);
  ioapic.use_irqfd(kPin);
  EXPECT_TRUE(route().has_value());
}

TEST_F(IoApicTest, RewritingAnEntryCallsNobody) {
  program(kLevel | 0x31);
  const u32 calls = sink.route_calls;
  program(kLevel | 0x31);
  EXPECT_EQ(sink.route_calls, calls);
}

TEST_F(IoApicTest, WritesToMaskedEntriesCallNobody) {
  ioapic.use_irqfd(kPin);
  program(kMasked | kLevel | 0x31, 0x01000000);
  program(kMasked | 0x41, 0x02000000);
  EXPECT_EQ(sink.route_calls, 0u);
}

TEST_F(IoApicTest, ReprogrammingMovesTheRoute) {
  program(kLevel | 0x31);
  set(static_cast<u8>(low(kPin) + 1), 0x03000000);
  EXPECT_EQ(route()->address_low, 0xfee03000u);
}

// State ----------------------------------------------------------------------------------------

TEST_F(IoApicTest, StateMakesARoundTrip) {
  program(kLevel | 0x31);
  ioapic.set_level(kPin, true);
  program(kMasked | kLevel | 0x41);
  set(0, 0x03000000);
  const auto state = ioapic.save();
  FakeSink other_sink;
  IoApic other(other_sink);
  other.restore(state);
  EXPECT_EQ(other.save(), state);
  EXPECT_EQ(other_sink.routes, sink.routes);
  EXPECT_TRUE(other_sink.delivered.empty());
  other.end_of_interrupt(0x31);
  EXPECT_FALSE(other_sink.routes[index(kPin)].has_value());
}

TEST_F(IoApicTest, RestoreDropsWhatCannotBe) {
  IoApic::State state;
  state.id = 0xff;
  state.levels = ~u32{0};
  state.entries.fill(~u64{kLevel});  // edge, with Remote-IRR
  ioapic.restore(state);
  const auto kept = ioapic.save();
  EXPECT_EQ(kept.id, 0x0f);
  EXPECT_EQ(kept.levels, 0xffffffu);
  EXPECT_EQ(kept.entries[0] & kRemoteIrr, 0u);
}

}  // namespace
}  // namespace mote
