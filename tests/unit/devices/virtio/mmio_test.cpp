// SPDX-License-Identifier: Apache-2.0
// The registers of virtio-mmio as a driver uses them, rightly and wrongly.
#include "devices/virtio/mmio.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "devices/virtio/features.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"
#include "tests/unit/devices/virtio/fake_device.hpp"
#include "tests/unit/devices/virtio/test_driver.hpp"

namespace mote::virtio {
namespace {

using test::FakeDevice;
using test::kFakeFeatures;

constexpr u64 kSel = 0x030, kSizeMax = 0x034, kSize = 0x038, kReady = 0x044, kNotify = 0x050;
constexpr u64 kIrq = 0x060, kAck = 0x064, kStatus = 0x070, kReset = 0x0c0, kGeneration = 0x0fc;
constexpr u32 kFeaturesOk = 8, kDriverOk = 4, kNeedsReset = 64;
constexpr u64 kTransport =
    feature::kVersion1 | feature::kEventIdx | feature::kIndirectDesc | feature::kRingReset;

struct MmioTest : testing::Test {
  GuestMemory memory = test::make_ram();
  FakeDevice device;
  FakeLine line;
  MmioTransport mmio{memory, device, line};

  u32 get(u64 offset) { return static_cast<u32>(read_le(mmio, offset, 4)); }
  void set(u64 offset, u32 value) { write_le(mmio, offset, 4, value); }
  void set_features(u64 features) {
    for (const u32 half : {0u, 1u}) {
      set(0x024, half);
      set(0x020, static_cast<u32>(features >> 32 * half));
    }
  }
  /// Up to FEATURES_OK.
  void negotiate(u64 features = kTransport) {
    set(kStatus, 1);
    set(kStatus, 3);
    set_features(features);
    set(kStatus, 3 | kFeaturesOk);
  }
  void set_layout(u32 index, const QueueLayout& layout) {
    set(kSel, index);
    set(kSize, layout.size);
    const Gpa parts[] = {layout.descriptors, layout.available, layout.used};
    for (u32 i = 0; i < 3; ++i) {
      set(0x080 + 0x10 * i, static_cast<u32>(parts[i].raw()));
      set(0x084 + 0x10 * i, static_cast<u32>(parts[i].raw() >> 32));
    }
  }
  static QueueLayout layout(u32 index, u16 size = 16) {
    const u64 base = 0x10000 * (index + 1);
    return {size, Gpa(base), Gpa(base + 0x5000), Gpa(base + 0x8000)};
  }
  void prepare(u32 index) {
    set_layout(index, layout(index));
    set(kReady, 1);
  }
  void drive() { set(kStatus, 3 | kFeaturesOk | kDriverOk); }
  void bring_up(u64 features = kTransport) {
    negotiate(features);
    prepare(0);
    prepare(1);
    drive();
  }
};

// Registers --------------------------------------------------------------------------------------

TEST_F(MmioTest, TellsWhatItIs) {
  EXPECT_EQ(get(0x000), 0x74726976u);
  EXPECT_EQ(get(0x004), 2u);
  EXPECT_EQ(get(0x008), 42u);
  EXPECT_NE(get(0x00c), 0u);
}

TEST_F(MmioTest, OffersTheDevicesFeaturesAndItsOwn) {
  set(0x014, 0);
  u64 offered = get(0x010);
  set(0x014, 1);
  offered |= u64{get(0x010)} << 32;
  EXPECT_EQ(offered, kFakeFeatures | kTransport);
  set(0x014, 2);
  EXPECT_EQ(get(0x010), 0u);
}

TEST_F(MmioTest, HasNoSharedMemory) {
  for (u64 offset = 0x0b0; offset <= 0x0bc; offset += 4) EXPECT_EQ(get(offset), ~u32{0});
}

TEST_F(MmioTest, RegistersTakeAlignedAccessesOf32BitsOnly) {
  EXPECT_EQ(read_le(mmio, 0x000, 1), 0xffu);
  EXPECT_EQ(read_le(mmio, 0x000, 2), 0xffffu);
  EXPECT_EQ(read_le(mmio, 0x000, 8), ~u64{0});
  EXPECT_EQ(read_le(mmio, 0x002, 4), 0xffffffffu);
  EXPECT_EQ(read_le(mmio, 0x0fe, 4), 0xffffffffu);
  write_le(mmio, kStatus, 1, 1);
  write_le(mmio, kStatus, 2, 1);
  write_le(mmio, kStatus, 8, 1);
  write_le(mmio, kStatus - 2, 4, 0x10000);
  EXPECT_EQ(get(kStatus), 0u);
}

TEST_F(MmioTest, UnknownRegistersReadZeroAndTakeNothing) {
  for (const u64 offset : {0x018u, 0x048u, 0x054u, 0x0c4u, 0x0f8u}) {
    set(offset, ~u32{0});
    EXPECT_EQ(get(offset), 0u) << offset;
  }
  for (const u64 offset : {0x000u, 0x004u, 0x008u, 0x00cu, 0x034u}) {
    const u32 before = get(offset);
    set(offset, ~before);
    EXPECT_EQ(get(offset), before) << offset;
  }
}

TEST_F(MmioTest, ConfigurationTakesAnyWidth) {
  write_le(mmio, 0x100, 8, 0x8877665544332211);
  EXPECT_EQ(read_le(mmio, 0x100, 8), 0x8877665544332211u);
  EXPECT_EQ(read_le(mmio, 0x102, 2), 0x4433u);
  EXPECT_EQ(read_le(mmio, 0x107, 1), 0x88u);
  write_le(mmio, 0x101, 1, 0);
  EXPECT_EQ(read_le(mmio, 0x100, 4), 0x44330011u);
  EXPECT_EQ(read_le(mmio, 0x10f, 4), 0u) << "past the end";
  EXPECT_EQ(read_le(mmio, 0xff8, 8), 0u);
}

TEST_F(MmioTest, GenerationIsTheDevices) {
  device.generation = 7;
  EXPECT_EQ(get(kGeneration), 7u);
}

TEST_F(MmioTest, QueuesThatDoNotExistHaveNoSize) {
  set(kSel, 1);
  EXPECT_EQ(get(kSizeMax), 256u);
  for (const u32 index : {2u, 0x10000u, ~u32{0}}) {
    set(kSel, index);
    EXPECT_EQ(get(kSizeMax), 0u);
    set(kReady, 1);
    EXPECT_EQ(get(kReady), 0u);
    set(kReset, 1);
  }
}

// Status -----------------------------------------------------------------------------------------

TEST_F(MmioTest, BringsQueuesUpAtDriverOk) {
  negotiate(kTransport | (u64{1} << 5));
  EXPECT_EQ(get(kStatus), 3 | kFeaturesOk);
  EXPECT_EQ(device.driver_features, kTransport | (u64{1} << 5));
  prepare(1);
  EXPECT_EQ(get(kReady), 1u);
  EXPECT_EQ(device.starts, 0u);
  drive();
  EXPECT_FALSE(device.queue(0)) << "was not ready";
  ASSERT_TRUE(device.queue(1));
  EXPECT_EQ(device.queue(1)->size(), 16);
  EXPECT_EQ(device.queue(1)->position(), QueuePosition{});
}

TEST_F(MmioTest, FeaturesOkNeedsVersion1) {
  negotiate(feature::kEventIdx);
  EXPECT_EQ(get(kStatus), 3u);
}

TEST_F(MmioTest, FeaturesOkNeedsWhatWasOffered) {
  negotiate(kTransport | (u64{1} << 6));
  EXPECT_EQ(get(kStatus), 3u);
  set_features(feature::kVersion1);
  set(kStatus, 3 | kFeaturesOk);
  EXPECT_EQ(get(kStatus), 3 | kFeaturesOk) << "may try again";
}

TEST_F(MmioTest, FeaturesAreFixedAfterFeaturesOk) {
  negotiate(feature::kVersion1);
  set_features(~u64{0});
  drive();
  EXPECT_EQ(device.driver_features, feature::kVersion1);
  EXPECT_EQ(mmio.save().driver_features, feature::kVersion1);
}

TEST_F(MmioTest, FeatureWordsPastTheSecondAreIgnored) {
  set(0x024, 2);
  set(0x020, ~u32{0});
  EXPECT_EQ(mmio.save().driver_features, 0u);
}

TEST_F(MmioTest, DriverOkNeedsFeaturesOk) {
  prepare(0);
  set(kStatus, 3 | kDriverOk);
  EXPECT_EQ(get(kStatus), 3u);
  EXPECT_EQ(device.starts, 0u);
}

TEST_F(MmioTest, BitsAreOnlyClearedByReset) {
  bring_up();
  set(kStatus, 1);
  EXPECT_EQ(get(kStatus), 3 | kFeaturesOk | kDriverOk);
  set(kStatus, 128);
  EXPECT_EQ(get(kStatus), 3 | kFeaturesOk | kDriverOk | 128);
  set(kStatus, kNeedsReset | 0xffffff00);
  EXPECT_EQ(get(kStatus), 3 | kFeaturesOk | kDriverOk | 128);
  EXPECT_EQ(device.starts, 2u);
}

TEST_F(MmioTest, ResetTakesEverythingBack) {
  const MmioTransport::State fresh = mmio.save();
  bring_up();
  device.events->on_used(0);
  set(kStatus, 0);
  EXPECT_EQ(device.stops, 2u);
  EXPECT_EQ(device.resets, 1u);
  EXPECT_EQ(get(kStatus), 0u);
  EXPECT_EQ(get(kIrq), 0u);
  EXPECT_FALSE(line.high);
  EXPECT_EQ(mmio.save(), fresh);
  bring_up();
  EXPECT_EQ(device.starts, 4u);
}

// Queues -----------------------------------------------------------------------------------------

TEST_F(MmioTest, AQueueInUseCannotBeMoved) {
  bring_up();
  const auto before = mmio.save().queues;
  set_layout(0, {1024, Gpa(0x123450), Gpa(0), Gpa(0)});
  set(kReady, 1);
  EXPECT_EQ(mmio.save().queues, before);
  EXPECT_EQ(device.starts, 2u);
}

TEST_F(MmioTest, IllegalLayoutsNeedAReset) {
  QueueLayout bad[] = {layout(0, 0), layout(0, 3), layout(0, 512), layout(0),
                       layout(0),    layout(0),    layout(0)};
  bad[3].descriptors = Gpa(0x10008);
  bad[4].available = Gpa(0x10001);
  bad[5].used = Gpa(kMiB - 64);
  bad[6].descriptors = Gpa(~u64{15});
  for (const QueueLayout& layout : bad) {
    negotiate();
    set_layout(0, layout);
    set(kReady, 1);
    drive();
    EXPECT_EQ(get(kStatus) & kNeedsReset, kNeedsReset);
    EXPECT_EQ(get(kIrq), 2u) << "a configuration interrupt says so";
    EXPECT_TRUE(line.high);
    set(kStatus, 0);
    EXPECT_EQ(get(kStatus), 0u);
  }
  EXPECT_EQ(device.starts, 0u);
  bring_up();
  EXPECT_EQ(device.starts, 2u);
}

TEST_F(MmioTest, SizesDoNotWrap) {
  negotiate();
  set_layout(0, layout(0));
  set(kSize, 0x10010);
  set(kReady, 1);
  drive();
  EXPECT_EQ(get(kStatus) & kNeedsReset, kNeedsReset);
}

TEST_F(MmioTest, AQueueCanBeResetAndMoved) {
  bring_up();
  set(kSel, 0);
  set(kReset, 1);
  EXPECT_EQ(get(kReset), 0u);
  EXPECT_EQ(get(kReady), 0u);
  EXPECT_FALSE(device.queue(0));
  EXPECT_TRUE(device.queue(1)) << "the other one goes on";
  set_layout(0, {32, Gpa(0x30000), Gpa(0x32000), Gpa(0x34000)});
  set(kReady, 1);
  EXPECT_EQ(get(kReady), 1u);
  ASSERT_TRUE(device.queue(0));
  EXPECT_EQ(device.queue(0)->size(), 32);
  EXPECT_EQ(device.queue(0)->position(), QueuePosition{});
}

TEST_F(MmioTest, AQueueResetNeedsTheFeature) {
  bring_up(feature::kVersion1);
  set(kSel, 0);
  set(kReset, 1);
  EXPECT_TRUE(device.queue(0));
}

TEST_F(MmioTest, AQueueThatIsNotReadyIsLeftAlone) {
  bring_up(feature::kVersion1);
  set(kSel, 0);
  set(kReady, 2);
  EXPECT_TRUE(device.queue(0)) << "2 means nothing";
  set(kReady, 0);
  EXPECT_EQ(get(kReady), 0u);
  EXPECT_FALSE(device.queue(0));
  EXPECT_TRUE(device.queue(1));
}

TEST_F(MmioTest, NotifySignalsQueuesThatExist) {
  set(kNotify, 0);
  set(kNotify, 1);
  EXPECT_EQ(device.kicks(), 2u);
  for (const u32 index : {2u, 0x10000u, ~u32{0}}) set(kNotify, index);
  write_le(mmio, kNotify, 2, 0);
  EXPECT_EQ(device.kicks(), 0u);
}

// Interrupts -------------------------------------------------------------------------------------

TEST_F(MmioTest, InterruptsStandUntilAcknowledged) {
  bring_up();
  device.events->on_used(0);
  EXPECT_EQ(get(kIrq), 1u);
  device.events->on_config_changed();
  EXPECT_EQ(get(kIrq), 3u);
  EXPECT_TRUE(line.high);
  set(kAck, 1);
  EXPECT_EQ(get(kIrq), 2u);
  EXPECT_TRUE(line.high);
  set(kAck, 2);
  EXPECT_EQ(get(kIrq), 0u);
  EXPECT_FALSE(line.high);
}

TEST_F(MmioTest, TheLineIsDrivenForEachEvent) {
  bring_up();
  device.events->on_used(0);
  const u32 calls = line.calls;
  device.events->on_used(0);
  EXPECT_EQ(line.calls, calls + 1) << "for drivers that never acknowledge";
}

TEST_F(MmioTest, NoInterruptsBeforeDriverOk) {
  negotiate();
  device.events->on_used(0);
  device.events->on_config_changed();
  EXPECT_EQ(get(kIrq), 0u);
  EXPECT_FALSE(line.high);
  drive();
  set(kAck, 2);
  EXPECT_EQ(get(kIrq), 0u) << "nothing was used";
  device.events->on_config_changed();
  EXPECT_EQ(get(kIrq), 2u);
  set(kStatus, 0);
  device.events->on_config_changed();
  EXPECT_EQ(get(kIrq), 0u);
  EXPECT_FALSE(line.high);
}

TEST_F(MmioTest, AChangeBetweenProbeAndDriverOkIsToldAtDriverOk) {
  negotiate();
  device.events->on_config_changed();
  drive();
  EXPECT_EQ(get(kIrq), 2u);
  EXPECT_TRUE(line.high);
  set(kAck, 2);
  EXPECT_FALSE(line.high);
  set(kStatus, 0);
  negotiate();
  drive();
  EXPECT_EQ(get(kIrq), 0u) << "told once";
}

TEST_F(MmioTest, AResetForgetsAChangeThatWasNotTold) {
  negotiate();
  device.events->on_config_changed();
  set(kStatus, 0);
  bring_up();
  EXPECT_EQ(get(kIrq), 0u);
  EXPECT_FALSE(line.high);
}

TEST_F(MmioTest, AChangeThatWasNotToldIsPartOfTheState) {
  negotiate();
  device.events->on_config_changed();
  const MmioTransport::State state = mmio.save();
  FakeDevice other;
  FakeLine other_line;
  MmioTransport restored(memory, other, other_line);
  restored.restore(state);
  EXPECT_EQ(restored.save(), state);
  write_le(restored, kStatus, 4, 3 | kFeaturesOk | kDriverOk);
  EXPECT_EQ(read_le(restored, kIrq, 4), 2u);
}

TEST_F(MmioTest, ABrokenDeviceNeedsAResetAndStartsNothing) {
  bring_up();
  device.events->on_broken();
  EXPECT_EQ(get(kStatus), 3 | kFeaturesOk | kDriverOk | kNeedsReset);
  EXPECT_EQ(get(kIrq), 2u);
  set(kSel, 0);
  set(kReset, 1);
  prepare(0);
  EXPECT_FALSE(device.queue(0));
  set(kStatus, 0);
  bring_up();
  EXPECT_EQ(get(kStatus), 3 | kFeaturesOk | kDriverOk);
  EXPECT_TRUE(device.queue(0));
}

// State ------------------------------------------------------------------------------------------

TEST_F(MmioTest, AStateComesBackAndGoesOn) {
  bring_up(kTransport | (u64{1} << 9));
  test::TestDriver driver(memory, 16, 0x40000);
  set(kSel, 0);
  set(kReset, 1);
  set_layout(0, driver.layout());
  set(kReady, 1);
  driver.add({{0x8000, 16}});
  driver.publish();
  Chain chain(16);
  ASSERT_EQ(device.queue(0)->pop(memory, chain), Queue::Pop::kChain);
  device.queue(0)->push(chain.head(), 0);
  if (device.queue(0)->publish()) device.events->on_used(0);
  mmio.pause();
  EXPECT_FALSE(device.queue(0));
  const MmioTransport::State state = mmio.save();
  EXPECT_EQ(state.interrupt_status, 1u);
  EXPECT_EQ(state.queues[0].position, (QueuePosition{1, 1}));

  FakeDevice other;
  FakeLine other_line;
  MmioTransport restored(memory, other, other_line);
  restored.restore(state);
  EXPECT_EQ(restored.save(), state);
  EXPECT_EQ(other.driver_features, kTransport | (u64{1} << 9));
  restored.resume();
  ASSERT_TRUE(other.queue(0));
  EXPECT_EQ(other.queue(0)->position(), (QueuePosition{1, 1}));
  ASSERT_TRUE(other.queue(1));
  EXPECT_EQ(read_le(restored, kIrq, 4), 1u);
  driver.add({{0x8000, 16}});
  driver.publish();
  EXPECT_EQ(other.queue(0)->pop(memory, chain), Queue::Pop::kChain);

  mmio.resume();
  EXPECT_EQ(device.queue(0)->position(), (QueuePosition{1, 1}));
}

TEST_F(MmioTest, HostileStatesAreTaken) {
  MmioTransport::State state;
  state.status = kDriverOk;
  mmio.restore(state);
  EXPECT_EQ(get(kStatus), 0u) << "DRIVER_OK without FEATURES_OK";
  state.status = ~u32{0};
  state.driver_features = ~u64{0};
  state.interrupt_status = ~u32{0};
  state.selected_queue = ~u32{0};
  mmio.restore(state);
  EXPECT_EQ(get(kStatus), 128u | kNeedsReset | 3) << "features that were not offered";
  EXPECT_EQ(get(kIrq), 0u);
  EXPECT_EQ(get(kSizeMax), 0u);
  state.status = 3 | kFeaturesOk | kDriverOk;
  state.driver_features = kTransport;
  state.queues = {{layout(0, 7), true, {5, 9}}, {layout(1), true, {9, 5}}, {layout(2), true, {}}};
  mmio.restore(state);
  mmio.resume();
  EXPECT_FALSE(device.queue(0));
  EXPECT_EQ(get(kStatus) & kNeedsReset, kNeedsReset);
  set(kStatus, 0);
  bring_up();
  EXPECT_EQ(device.starts, 2u);
}

}  // namespace
}  // namespace mote::virtio
