// SPDX-License-Identifier: Apache-2.0
// virtio over PCI as a driver uses it, rightly and wrongly.
#include "devices/virtio/pci.hpp"

#include <gtest/gtest.h>

#include <map>

#include "devices/virtio/features.hpp"
#include "tests/unit/devices/pci/fakes.hpp"
#include "tests/unit/devices/virtio/fake_device.hpp"
#include "tests/unit/devices/virtio/test_driver.hpp"

namespace mote::virtio {
namespace {

using test::FakeDevice;
using test::kFakeFeatures;
using test::read_config;
using test::write_config;
using Sent = std::vector<u32>;

constexpr Gpa kHome{0xc000'0000};
constexpr u64 kDeviceFeatureSelect = 0, kDeviceFeature = 4, kDriverFeatureSelect = 8,
              kDriverFeature = 12, kConfigVector = 16, kQueueCount = 18, kStatus = 20,
              kGeneration = 21, kSelect = 22, kSize = 24, kVector = 26, kEnable = 28,
              kNotifyOffset = 30, kDesc = 32, kReset = 58;
constexpr u64 kIsr = 0x1000, kConfig = 0x2000, kNotify = 0x3000, kTable = 0x4000, kPending = 0x5000;
constexpr u32 kFeaturesOk = 8, kDriverOk = 4, kNeedsReset = 64;
constexpr u64 kRing =
    feature::kVersion1 | feature::kEventIdx | feature::kIndirectDesc | feature::kRingReset;

/// Registers of the common configuration and their widths.
const std::map<u64, std::size_t> kRegisters = {{0, 4},  {4, 4},  {8, 4},  {12, 4}, {16, 2}, {18, 2},
                                               {20, 1}, {21, 1}, {22, 2}, {24, 2}, {26, 2}, {28, 2},
                                               {30, 2}, {32, 4}, {36, 4}, {40, 4}, {44, 4}, {48, 4},
                                               {52, 4}, {56, 2}, {58, 2}};

struct PciTransportTest : testing::Test {
  GuestMemory memory = test::make_ram();
  FakeDevice device;
  test::FakeSink sink;
  PciTransport pci{memory, device, sink};

  PciTransportTest() {
    pci.place_bar(0, kHome);
    write_config(pci, 4, 2, 6);
  }

  static u64 get(PciTransport& from, u64 offset, std::size_t width) {
    std::byte bytes[8];
    from.read_bar(0, offset, std::span(bytes, width));
    return load_le(std::span(bytes, width));
  }
  u64 get(u64 offset, std::size_t width) { return get(pci, offset, width); }
  u64 get(u64 offset) { return get(offset, kRegisters.at(offset)); }
  void set(u64 offset, u64 value, std::size_t width) {
    std::byte bytes[8];
    store_le(std::span(bytes, width), value);
    pci.write_bar(0, offset, std::span(bytes, width));
  }
  void set(u64 offset, u64 value) { set(offset, value, kRegisters.at(offset)); }

  void negotiate(u64 features = kRing) {
    set(kStatus, 1);
    set(kStatus, 3);
    for (const u32 half : {0u, 1u}) {
      set(kDriverFeatureSelect, half);
      set(kDriverFeature, static_cast<u32>(features >> 32 * half));
    }
    set(kStatus, 3 | kFeaturesOk);
  }
  void prepare(u32 index, u16 size = 16) {
    set(kSelect, index);
    set(kSize, size);
    set(kDesc, 0x10000 * (index + 1));
    set(kDesc + 8, 0x10000 * (index + 1) + 0x5000);
    set(kDesc + 16, 0x10000 * (index + 1) + 0x8000);
    set(kEnable, 1);
  }
  void drive() { set(kStatus, 3 | kFeaturesOk | kDriverOk); }
  void bring_up(u64 features = kRing) {
    negotiate(features);
    prepare(0);
    prepare(1);
    drive();
  }
  void switch_msix_on() {
    write_config(pci, test::find_capability(pci, 0x11) + 2, 2, 0x8000);
    for (u32 vector = 0; vector < 3; ++vector) {
      set(kTable + 16 * vector, 0xfee00000, 4);
      set(kTable + 16 * vector + 8, 0x40 + vector, 4);
      set(kTable + 16 * vector + 12, 0, 4);
    }
  }
  void set_vectors() {
    set(kConfigVector, 2);
    for (const u32 queue : {0u, 1u}) {
      set(kSelect, queue);
      set(kVector, queue);
    }
  }
  /// Where the capability of this kind is.
  u32 capability(u8 kind) {
    u32 offset = test::find_capability(pci, 9);
    while (offset != 0 && read_config(pci, offset + 3, 1) != kind) {
      offset = test::find_capability(pci, 9, offset + 1);
    }
    return offset;
  }
};

// The function -----------------------------------------------------------------------------------

TEST_F(PciTransportTest, TellsWhatItIs) {
  EXPECT_EQ(read_config(pci, 0, 4), 0x106a1af4u);
  EXPECT_EQ(read_config(pci, 8, 1), 1u);
  EXPECT_TRUE(pci.answers(0));
  EXPECT_EQ(pci.home(), kHome);
}

TEST_F(PciTransportTest, CapabilitiesSayWhereThingsAre) {
  const std::map<u8, std::pair<u32, u32>> places = {
      {1, {0, 60}}, {2, {kNotify, 8}}, {3, {kIsr, 1}}, {4, {kConfig, 0x1000}}};
  for (const auto& [kind, place] : places) {
    const u32 offset = capability(kind);
    ASSERT_NE(offset, 0u) << int{kind};
    EXPECT_EQ(read_config(pci, offset + 2, 1), kind == 2 ? 20u : 16u);
    EXPECT_EQ(read_config(pci, offset + 4, 1), 0u) << "BAR 0";
    EXPECT_EQ(read_config(pci, offset + 8, 4), place.first);
    EXPECT_EQ(read_config(pci, offset + 12, 4), place.second);
  }
  EXPECT_EQ(read_config(pci, capability(2) + 16, 4), 4u) << "notify_off_multiplier";
  const u32 msix = test::find_capability(pci, 0x11);
  EXPECT_EQ(read_config(pci, msix + 2, 2), 2u) << "a vector for each queue and one more";
  EXPECT_EQ(read_config(pci, msix + 4, 4), kTable);
  EXPECT_EQ(read_config(pci, msix + 8, 4), kPending);
}

TEST_F(PciTransportTest, TheWindowReachesRegistersWithoutDecoding) {
  write_config(pci, 4, 2, 0);
  const u32 window = capability(5);
  ASSERT_NE(window, 0u);
  const auto aim = [&](u32 offset, u32 length) {
    write_config(pci, window + 8, 4, offset);
    write_config(pci, window + 12, 4, length);
  };
  aim(kQueueCount, 2);
  EXPECT_EQ(read_config(pci, window + 16, 2), 2u);
  aim(kStatus, 1);
  write_config(pci, window + 16, 1, 1);
  EXPECT_EQ(get(kStatus), 1u);
  aim(kDriverFeature, 4);
  write_config(pci, window + 16, 4, 0x12345678);
  EXPECT_EQ(get(kDriverFeature), 0x12345678u);
  device.config[0] = std::byte{7};
  aim(kConfig, 1);
  EXPECT_EQ(read_config(pci, window + 16, 1), 7u);
}

TEST_F(PciTransportTest, AWindowToNowhereReachesNothing) {
  const u32 window = capability(5);
  const auto aim = [&](u32 bar, u32 offset, u32 length) {
    write_config(pci, window + 4, 1, bar);
    write_config(pci, window + 8, 4, offset);
    write_config(pci, window + 12, 4, length);
    write_config(pci, window + 16, 4, 1);
    return read_config(pci, window + 16, 4);
  };
  EXPECT_EQ(aim(1, kStatus, 1), 1u) << "keeps what was written";
  EXPECT_EQ(aim(0, kStatus, 0), 1u);
  EXPECT_EQ(aim(0, kStatus, 3), 1u);
  EXPECT_EQ(aim(0, kStatus, 8), 1u);
  EXPECT_EQ(aim(0, 0x7ffe, 4), 1u);
  EXPECT_EQ(aim(0, 0x8000, 4), 1u);
  EXPECT_EQ(aim(0, 0xfffffffc, 4), 1u);
  EXPECT_EQ(aim(0, kStatus - 1, 2), 1u);
  EXPECT_EQ(get(kStatus), 0u);
}

// Registers --------------------------------------------------------------------------------------

TEST_F(PciTransportTest, RegistersTakeTheirOwnWidthOnly) {
  bring_up();
  const PciTransport::State before = pci.save();
  for (u64 offset = 0; offset < 0x80; ++offset) {
    const auto known = kRegisters.find(offset);
    for (const std::size_t width : {1u, 2u, 4u, 8u}) {
      if (known != kRegisters.end() && known->second == width) continue;
      const u64 ones = width == 8 ? ~u64{0} : (u64{1} << 8 * width) - 1;
      EXPECT_EQ(get(offset, width), ones) << offset << " " << width;
      set(offset, 0, width);
      set(offset, ~u64{0}, width);
    }
  }
  EXPECT_EQ(pci.save(), before);
}

TEST_F(PciTransportTest, WhatIsReadOnlyTakesNothing) {
  device.generation = 0x107;
  for (const u64 offset : {kDeviceFeature, kQueueCount, kGeneration, kNotifyOffset, u64{56}}) {
    const u64 before = get(offset);
    set(offset, ~before);
    EXPECT_EQ(get(offset), before) << offset;
  }
  EXPECT_EQ(get(kGeneration), 7u);
  EXPECT_EQ(get(kQueueCount), 2u);
}

TEST_F(PciTransportTest, SelectorsReadBackAndSelect) {
  u64 offered = 0;
  for (const u32 half : {0u, 1u}) {
    set(kDeviceFeatureSelect, half);
    EXPECT_EQ(get(kDeviceFeatureSelect), half);
    offered |= get(kDeviceFeature) << 32 * half;
  }
  EXPECT_EQ(offered, kFakeFeatures | kRing);
  set(kDeviceFeatureSelect, 2);
  EXPECT_EQ(get(kDeviceFeature), 0u);
  set(kDriverFeatureSelect, 1);
  set(kDriverFeature, 0x101);
  EXPECT_EQ(get(kDriverFeature), 0x101u);
  set(kDriverFeatureSelect, ~u32{0});
  EXPECT_EQ(get(kDriverFeature), 0u);
  set(kSelect, 1);
  EXPECT_EQ(get(kNotifyOffset), 1u);
  EXPECT_EQ(get(kSize), 256u) << "the most that it may have";
}

TEST_F(PciTransportTest, QueuesThatDoNotExistReadZeroAndTakeNothing) {
  negotiate();
  const auto before = pci.save().driver.queues;
  set(kSelect, 2);
  for (u64 offset = kSize; offset <= kReset; ++offset) {
    if (kRegisters.count(offset) == 0) continue;
    set(offset, 1);
    EXPECT_EQ(get(offset), offset == kVector ? 0xffffu : 0u) << offset;
  }
  EXPECT_EQ(pci.save().driver.queues, before);
}

TEST_F(PciTransportTest, DeviceConfigurationTakesAnyWidth) {
  set(kConfig, 0x8877665544332211, 8);
  EXPECT_EQ(get(kConfig + 2, 2), 0x4433u);
  EXPECT_EQ(get(kConfig + 7, 1), 0x88u);
  EXPECT_EQ(get(kConfig + 0xff8, 8), 0u);
}

TEST_F(PciTransportTest, BetweenThePartsThereIsNothing) {
  for (const u64 offset : {0x40u, 0x1001u, 0x3000u, 0x6000u, 0x7ff8u}) {
    for (const std::size_t width : {1u, 2u, 4u, 8u}) {
      set(offset, 0, width);
      EXPECT_EQ(get(offset, width), width == 8 ? ~u64{0} : (u64{1} << 8 * width) - 1) << offset;
    }
  }
}

// Status and queues ------------------------------------------------------------------------------

TEST_F(PciTransportTest, BringsQueuesUpAtDriverOk) {
  negotiate();
  prepare(1);
  EXPECT_EQ(get(kEnable), 1u);
  EXPECT_EQ(device.starts, 0u);
  drive();
  EXPECT_FALSE(device.queue(0));
  ASSERT_TRUE(device.queue(1));
  EXPECT_EQ(device.queue(1)->size(), 16);
  EXPECT_EQ(get(kDesc), 0x20000u);
  EXPECT_EQ(get(kDesc + 4), 0u);
}

TEST_F(PciTransportTest, AQueueHasTheSizeThatTheDriverRead) {
  negotiate();
  set(kSelect, 0);
  set(kDesc, 0x10000);
  set(kDesc + 8, 0x15000);
  set(kDesc + 16, 0x18000);
  set(kEnable, 2);
  EXPECT_EQ(get(kEnable), 0u) << "2 means nothing";
  set(kEnable, 1);
  drive();
  ASSERT_TRUE(device.queue(0));
  EXPECT_EQ(device.queue(0)->size(), 256);
}

TEST_F(PciTransportTest, AQueueInUseCannotBeMovedOrSwitchedOff) {
  bring_up();
  const auto before = pci.save().driver.queues;
  prepare(0, 32);
  set(kEnable, 0);
  EXPECT_EQ(pci.save().driver.queues, before);
  EXPECT_EQ(device.starts, 2u);
}

TEST_F(PciTransportTest, AQueueCanBeResetAndMoved) {
  bring_up();
  set(kSelect, 0);
  set(kReset, 1);
  EXPECT_EQ(get(kReset), 0u);
  EXPECT_EQ(get(kEnable), 0u);
  EXPECT_EQ(get(kSize), 256u);
  EXPECT_FALSE(device.queue(0));
  EXPECT_TRUE(device.queue(1));
  prepare(0, 32);
  EXPECT_EQ(device.queue(0)->size(), 32);
}

TEST_F(PciTransportTest, AnIllegalSizeNeedsAReset) {
  for (const u16 size : std::initializer_list<u16>{3, 512, 0xffff}) {
    negotiate();
    prepare(0, size);
    drive();
    EXPECT_EQ(get(kStatus) & kNeedsReset, kNeedsReset);
    EXPECT_FALSE(device.queue(0));
    set(kStatus, 0);
    EXPECT_EQ(get(kStatus), 0u);
  }
}

TEST_F(PciTransportTest, ResetTakesTheDriversSettingsBack) {
  switch_msix_on();
  const PciTransport::State fresh = pci.save();
  bring_up();
  set_vectors();
  set(kTable + 12, 1, 4);
  device.events->on_used(0);
  EXPECT_EQ(get(kPending, 8), 1u);
  set(kTable + 12, 0, 4);
  set(kTable + 12, 1, 4);
  device.events->on_used(0);
  set(kStatus, 0);
  set(kTable + 12, 0, 4);
  EXPECT_EQ(sink.sent, Sent{0}) << "what was pending is forgotten";
  EXPECT_EQ(pci.save(), fresh);
  EXPECT_EQ(device.resets, 1u);
}

TEST_F(PciTransportTest, NotificationsSignalTheirQueue) {
  set(kNotify, 0, 2);
  set(kNotify + 4, 1, 2);
  set(kNotify + 4, 1, 4);
  EXPECT_EQ(device.kicks(), 3u);
  set(kNotify + 8, 2, 2);
  set(kNotify + 2, 0, 2);
  set(kNotify + 0xff8, 0, 8);
  EXPECT_EQ(device.kicks(), 0u);
}

// Interrupts -------------------------------------------------------------------------------------

TEST_F(PciTransportTest, EachQueueHasItsVector) {
  switch_msix_on();
  bring_up();
  set_vectors();
  device.events->on_used(1);
  device.events->on_used(0);
  device.events->on_config_changed();
  EXPECT_EQ(sink.sent, (Sent{1, 0, 2}));
  EXPECT_EQ(get(kConfigVector), 2u);
  EXPECT_EQ(get(kVector), 1u);
}

TEST_F(PciTransportTest, AVectorThatDoesNotExistReadsBackAsNone) {
  switch_msix_on();
  bring_up();
  set(kConfigVector, 3);
  EXPECT_EQ(get(kConfigVector), 0xffffu);
  set(kVector, 0xfffe);
  EXPECT_EQ(get(kVector), 0xffffu);
  device.events->on_used(0);
  device.events->on_config_changed();
  EXPECT_EQ(sink.sent, Sent{});
}

TEST_F(PciTransportTest, WithoutMsiXTheIsrStatusTells) {
  bring_up();
  set_vectors();
  device.events->on_used(1);
  device.events->on_config_changed();
  EXPECT_EQ(sink.sent, Sent{});
  EXPECT_EQ(get(kIsr, 2), 0xffffu);
  EXPECT_EQ(get(kIsr, 1), 3u);
  EXPECT_EQ(get(kIsr, 1), 0u) << "reading it clears it";
}

TEST_F(PciTransportTest, AChangeBeforeDriverOkIsToldAtDriverOk) {
  switch_msix_on();
  negotiate();
  set_vectors();
  device.events->on_used(0);
  device.events->on_config_changed();
  EXPECT_EQ(sink.sent, Sent{});
  drive();
  EXPECT_EQ(sink.sent, Sent{2});
}

// State ------------------------------------------------------------------------------------------

TEST_F(PciTransportTest, AStateComesBackAndGoesOn) {
  switch_msix_on();
  bring_up(kRing | (u64{1} << 9));
  set_vectors();
  set(kTable + 16 + 12, 1, 4);
  device.events->on_used(1);
  pci.pause();
  const PciTransport::State state = pci.save();

  FakeDevice other;
  test::FakeSink other_sink;
  PciTransport restored(memory, other, other_sink);
  restored.place_bar(0, kHome);
  restored.restore(state);
  EXPECT_EQ(restored.save(), state);
  EXPECT_TRUE(restored.answers(0));
  EXPECT_EQ(get(restored, kPending, 8), 2u);
  restored.resume();
  ASSERT_TRUE(other.queue(0));
  other.events->on_used(0);
  other.events->on_config_changed();
  EXPECT_EQ(other_sink.sent, (Sent{0, 2}));
  EXPECT_EQ(other_sink.messages[2], (MsiMessage{0xfee00000, 0, 0x42}));
}

TEST_F(PciTransportTest, HostileStatesAreTaken) {
  PciTransport::State state;
  state.driver.status = 3 | kFeaturesOk | kDriverOk;
  state.driver.driver_features = kRing;
  state.driver.queues.resize(5, {{7, Gpa(1), Gpa(2), Gpa(~u64{0})}, true, {}});
  state.config.bytes.fill(0xff);
  state.msix.table.resize(9, {{1, 2, 3}, false});
  state.msix.pending.assign(9, true);
  state.config_vector = 3;
  state.queue_vectors.assign(9, 0xfffe);
  pci.restore(state);
  pci.resume();
  EXPECT_EQ(get(kStatus) & kNeedsReset, kNeedsReset);
  EXPECT_EQ(get(kConfigVector), 0xffffu);
  EXPECT_FALSE(pci.answers(0)) << "moved away";
  EXPECT_EQ(sink.sent, Sent{});
  set(kStatus, 0);
  bring_up();
  EXPECT_EQ(device.starts, 2u);
}

}  // namespace
}  // namespace mote::virtio
