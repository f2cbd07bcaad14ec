// SPDX-License-Identifier: Apache-2.0
// Which way an interrupt goes, as the guest has programmed I/O APIC and PICs.
#include "vmm/machine/event_line.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>

#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote {
namespace {

constexpr Pin kPin{5};
constexpr u32 kVector = 0x31, kLevel = 1u << 15, kMasked = 1u << 16;

struct NoMessages final : MsiSink {
  void deliver(const MsiMessage&) override {}
  void set_route(Pin, const std::optional<MsiMessage>&) override {}
};
struct NoOutput final : PicOutput {
  void interrupt_requested() override {}
};

EventFd make_event() {
  auto event = EventFd::create(true);
  CHECK(event.has_value(), "an eventfd can be made");
  return *std::move(event);
}

struct EventLineTest : testing::Test {
  NoMessages messages;
  NoOutput output;
  IoApic ioapic{messages};
  PicPair pic{output};
  FakeLine wire;
  EventFd event = make_event();
  EventLine line = make_line(&pic);

  EventLine make_line(const PicPair* pics) {
    // A second descriptor of the same eventfd is the test's to read.
    EventFd own = make_event();
    CHECK(::dup3(event.fd(), own.fd(), O_CLOEXEC) == own.fd(), "descriptors can be had");
    return {ioapic, pics, kPin, wire, std::move(own)};
  }
  void program_ioapic(u32 bits) {
    write_le(ioapic, 0, 4, 0x10 + 2 * index(kPin));
    write_le(ioapic, 0x10, 4, bits);
  }
  /// Vectors from 20h and 28h on; what is set in `mask` is masked, inputs of the first PIC lowest.
  void program_pics(u16 mask) {
    const u8 words[2][4] = {{0x11, 0x20, 0x04, 0x01}, {0x11, 0x28, 0x02, 0x01}};
    for (const int chip : {0, 1}) {
      const u16 base = chip == 0 ? 0x20 : 0xa0;
      pic.write_port(base, words[chip][0]);
      for (int i = 1; i < 4; ++i) pic.write_port(static_cast<u16>(base + 1), words[chip][i]);
      pic.write_port(static_cast<u16>(base + 1), static_cast<u8>(mask >> 8 * chip));
    }
  }
  /// Raises the line; true when the irqfd was signalled.
  bool goes_by_irqfd() {
    const u32 calls = wire.calls;
    line.set_level(true);
    const bool signalled = event.drain() > 0;
    EXPECT_NE(signalled, wire.calls != calls) << "one way, not both and not none";
    return signalled;
  }
};

TEST_F(EventLineTest, WithoutAnIrqfdReadyTheControllersAreTold) {
  program_ioapic(kVector);
  EXPECT_FALSE(goes_by_irqfd()) << "no irqfd has been announced";
  EXPECT_TRUE(wire.high);
}

TEST_F(EventLineTest, AnUnmaskedEdgeEntryTakesTheIrqfd) {
  ioapic.use_irqfd(kPin);
  program_ioapic(kVector);
  EXPECT_TRUE(goes_by_irqfd());
  EXPECT_TRUE(goes_by_irqfd()) << "each time";
  line.set_level(false);
  EXPECT_EQ(wire.calls, 0u);
}

TEST_F(EventLineTest, AMaskedOrLevelEntryDoesNot) {
  ioapic.use_irqfd(kPin);
  for (const u32 bits : {kMasked | kVector, kLevel | kVector, kMasked | kLevel | kVector}) {
    program_ioapic(bits);
    EXPECT_FALSE(goes_by_irqfd()) << bits;
    line.set_level(false);
    EXPECT_FALSE(wire.high);
  }
}

TEST_F(EventLineTest, AGuestOnThePicsGetsItThere) {
  ioapic.use_irqfd(kPin);
  program_ioapic(kVector);
  program_pics(0xffff & ~(1u << 5));
  EXPECT_FALSE(goes_by_irqfd());
  line.set_level(false);
  program_pics(0xffff & ~(1u << 4));
  EXPECT_TRUE(goes_by_irqfd()) << "the PICs serve another input";
  program_pics(0xffff);
  EXPECT_TRUE(goes_by_irqfd()) << "a guest that has left them";
}

TEST_F(EventLineTest, WithoutPicsOnlyTheIoApicCounts) {
  EventLine without = make_line(nullptr);
  ioapic.use_irqfd(kPin);
  program_ioapic(kVector);
  without.set_level(true);
  EXPECT_EQ(event.drain(), 1u);
}

TEST_F(EventLineTest, ALevelThatTheControllersHaveIsTakenBackAfterTheGuestHasSwitched) {
  ioapic.use_irqfd(kPin);
  program_ioapic(kMasked | kVector);
  line.set_level(true);
  line.set_level(true);
  EXPECT_EQ(wire.calls, 1u) << "changes only";
  program_ioapic(kVector);
  EXPECT_TRUE(goes_by_irqfd());
  EXPECT_TRUE(wire.high);
  line.set_level(false);
  EXPECT_FALSE(wire.high);
}

}  // namespace
}  // namespace mote
