// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/msix.hpp"

#include <gtest/gtest.h>

#include "tests/unit/devices/pci/fakes.hpp"

namespace mote::pci {
namespace {

constexpr u16 kOn = 0x8000, kAllMasked = 0x4000;
using Sent = std::vector<u32>;

struct MsiXTest : testing::Test {
  test::FakeSink sink;
  MsiX msix{70, sink};

  u64 get(u64 offset, std::size_t width = 4) {
    std::byte bytes[8];
    msix.read_table(offset, std::span(bytes, width));
    return load_le(std::span(bytes, width));
  }
  void set(u64 offset, u64 value, std::size_t width = 4) {
    std::byte bytes[8];
    store_le(std::span(bytes, width), value);
    msix.write_table(offset, std::span(bytes, width));
  }
  u64 pending(u64 offset, std::size_t width = 8) {
    std::byte bytes[8];
    msix.read_pending(offset, std::span(bytes, width));
    return load_le(std::span(bytes, width));
  }
  void program(u32 vector, u32 data, bool masked = false) {
    set(16 * vector, 0xfee01000);
    set(16 * vector + 4, 0);
    set(16 * vector + 8, data);
    set(16 * vector + 12, masked ? 1 : 0);
  }
};

TEST_F(MsiXTest, StartsMaskedAndOff) {
  EXPECT_EQ(get(12), 1u);
  EXPECT_EQ(get(69 * 16 + 12), 1u);
  EXPECT_TRUE(msix.is_masked(0));
  program(0, 0x41);
  msix.raise(0);
  EXPECT_EQ(sink.sent, Sent{});
  EXPECT_EQ(pending(0), 0u) << "off: nothing is kept";
  EXPECT_EQ(sink.changes, 0u);
}

TEST_F(MsiXTest, SendsWhatIsNotMasked) {
  msix.set_control(kOn);
  program(3, 0x41);
  ASSERT_EQ(sink.messages[3], (MsiMessage{0xfee01000, 0, 0x41}));
  EXPECT_EQ(sink.changes, 1u) << "written while masked, known when that ended";
  msix.raise(3);
  msix.raise(3);
  EXPECT_EQ(sink.sent, (Sent{3, 3}));
  msix.raise(70);
  msix.raise(~u32{0});
  EXPECT_EQ(sink.sent, (Sent{3, 3})) << "there are no such vectors";
}

TEST_F(MsiXTest, KeepsWhatIsMaskedUntilItIsNot) {
  msix.set_control(kOn);
  program(65, 0x41, true);
  msix.raise(65);
  msix.raise(65);
  EXPECT_EQ(sink.sent, Sent{});
  EXPECT_EQ(pending(8), 2u);
  EXPECT_EQ(pending(8, 4), 2u);
  EXPECT_EQ(pending(0), 0u);
  set(65 * 16 + 12, 0);
  EXPECT_EQ(sink.sent, Sent{65}) << "once";
  EXPECT_EQ(pending(8), 0u);
}

TEST_F(MsiXTest, TheFunctionsMaskHoldsBackAll) {
  msix.set_control(kOn | kAllMasked);
  program(0, 0x40);
  program(1, 0x41);
  msix.raise(1);
  msix.raise(0);
  EXPECT_EQ(pending(0), 3u);
  EXPECT_EQ(sink.changes, 0u);
  msix.set_control(kOn);
  EXPECT_EQ(sink.sent, (Sent{0, 1}));
  EXPECT_EQ(sink.changes, 2u);
}

TEST_F(MsiXTest, MaskingCostsTheSinkNothing) {
  msix.set_control(kOn);
  program(0, 0x40);
  for (int i = 0; i < 3; ++i) {
    set(12, 1);
    set(12, 0);
    msix.set_control(kOn | kAllMasked);
    msix.set_control(kOn);
    msix.set_control(0);
    msix.set_control(kOn);
  }
  EXPECT_EQ(sink.changes, 1u);
  set(12, 1);
  set(8, 0x50);
  EXPECT_EQ(sink.changes, 1u);
  set(12, 0);
  EXPECT_EQ(sink.changes, 2u);
}

TEST_F(MsiXTest, MessagesGoToLocalApicsOnly) {
  msix.set_control(kOn);
  program(0, 0x40);
  set(4, 1);
  EXPECT_EQ(sink.messages[0], std::nullopt);
  set(4, 0);
  EXPECT_NE(sink.messages[0], std::nullopt);
  set(0, 0x1000);
  EXPECT_EQ(sink.messages[0], std::nullopt);
}

TEST_F(MsiXTest, TheTableTakesAlignedWordsOf4And8Bytes) {
  set(16, 0x11111111'fee02003, 8);
  set(24, 0xffffffff'22222222, 8);
  EXPECT_EQ(get(16), 0xfee02000u) << "messages are aligned";
  EXPECT_EQ(get(16, 8), 0x11111111'fee02000u);
  EXPECT_EQ(get(24, 8), 0x00000001'22222222u);
  EXPECT_EQ(get(16, 1), 0xffu);
  EXPECT_EQ(get(16, 2), 0xffffu);
  EXPECT_EQ(get(18, 4), 0xffffffffu);
  EXPECT_EQ(get(20, 8), ~u64{0});
  set(24, 0, 1);
  set(24, 0, 2);
  set(26, 0, 4);
  set(28, 0, 8);
  EXPECT_EQ(get(24, 8), 0x00000001'22222222u);
  EXPECT_EQ(get(msix.table_size(), 4), 0xffffffffu);
  set(msix.table_size(), 0);
  EXPECT_EQ(pending(msix.pending_size(), 4), 0xffffffffu);
  EXPECT_EQ(pending(1, 4), 0xffffffffu);
}

TEST_F(MsiXTest, ItsCapabilitySaysWhereItIs) {
  ConfigSpace config({}, {});
  const u32 offset = msix.add_capability(config, 2, 0x4000, 0x5000);
  EXPECT_EQ(config.value(offset, 1), 0x11u);
  EXPECT_EQ(config.value(offset + 2, 2), 69u);
  EXPECT_EQ(config.value(offset + 4, 4), 0x4002u);
  EXPECT_EQ(config.value(offset + 8, 4), 0x5002u);
  const std::byte ones[2] = {std::byte{0xff}, std::byte{0xff}};
  config.write(offset + 2, ones);
  EXPECT_EQ(config.value(offset + 2, 2), kOn | kAllMasked | 69u);
}

TEST_F(MsiXTest, AStateComesBack) {
  msix.set_control(kOn);
  program(0, 0x40);
  program(1, 0x41, true);
  msix.raise(1);
  const MsiX::State state = msix.save();
  test::FakeSink other_sink;
  MsiX other(70, other_sink);
  other.set_control(kOn);
  other.restore(state);
  EXPECT_EQ(other.save(), state);
  EXPECT_EQ(other_sink.messages[0], (MsiMessage{0xfee01000, 0, 0x40}));
  EXPECT_EQ(other_sink.changes, 1u);
  EXPECT_EQ(other_sink.sent, Sent{});
  msix.forget_pending();
  set(28, 0);
  EXPECT_EQ(sink.sent, Sent{});
}

TEST_F(MsiXTest, HostileStatesAreTaken) {
  MsiX::State state{.table = {}, .pending = {}};
  msix.set_control(kOn);
  state.table.resize(100, {{0xffffffff, 0, 7}, false});
  state.pending.assign(100, true);
  msix.restore(state);
  EXPECT_EQ(pending(0), 0u) << "nothing holds it back";
  EXPECT_EQ(get(0), 0xfffffffcu);
  EXPECT_EQ(sink.changes, 0u) << "no local APIC is there";
  EXPECT_EQ(sink.sent, Sent{});
  msix.restore({});
  EXPECT_EQ(get(12), 1u);
}

}  // namespace
}  // namespace mote::pci
