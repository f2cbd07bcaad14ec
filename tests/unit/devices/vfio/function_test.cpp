// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/function.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/devices/vfio/fake_function.hpp"

namespace mote::vfio {
namespace {

using test::FakeFunction;

constexpr u32 kMsixCapability = 0x70;  // behind PCI Express and power management
constexpr u32 kTableBar = 3;

class Lines final : public TriggerLines {
 public:
  int fd(u32 vector) const override { return 100 + static_cast<int>(vector); }
  void set_delivering(u32 vector, bool delivering) override { delivers[vector] = delivering; }
  bool take_kept(u32 vector) override { return std::exchange(kept[vector], false); }
  void set_message(u32 vector, const std::optional<MsiMessage>& message) override {
    messages[vector] = message;
  }
  void send(u32 vector) override { sent.push_back(vector); }

  std::map<u32, bool> delivers;
  std::map<u32, bool> kept;
  std::map<u32, std::optional<MsiMessage>> messages;
  std::vector<u32> sent;
};

class VfioFunction : public testing::Test {
 protected:
  /// Makes the function of `device`, which the test goes on to look at.
  void create(std::unique_ptr<FakeFunction> device = std::make_unique<FakeFunction>()) {
    device_ = device.get();
    auto function = Function::create(std::move(device));
    ASSERT_TRUE(function) << function.error().message();
    function_ = *std::move(function);
    ASSERT_TRUE(function_->connect(lines_));
  }
  static std::string refusal(std::unique_ptr<FakeFunction> device) {
    const auto function = Function::create(std::move(device));
    return function ? "" : function.error().message();
  }

  u32 read_config(u32 offset, std::size_t size = 4) {
    std::array<std::byte, 4> data{};
    function_->read_config(offset, std::span(data).first(size));
    return static_cast<u32>(load_le(std::span(data).first(size)));
  }
  void write_config(u32 offset, u32 value, std::size_t size = 4) {
    std::array<std::byte, 4> data{};
    store_le(data, value);
    function_->write_config(offset, std::span(data).first(size));
  }
  u32 read_bar(u32 bar, u64 offset) {
    std::array<std::byte, 4> data{};
    function_->read_bar(bar, offset, data);
    return static_cast<u32>(load_le(data));
  }
  void write_bar(u32 bar, u64 offset, u32 value) {
    std::array<std::byte, 4> data{};
    store_le(data, value);
    function_->write_bar(bar, offset, data);
  }
  /// Message and mask of a vector, as a driver writes them.
  void program(u32 vector, u32 data, bool masked) {
    write_bar(kTableBar, vector * 16 + 0, 0xfee0'1000);
    write_bar(kTableBar, vector * 16 + 8, data);
    write_bar(kTableBar, vector * 16 + 12, masked ? 1 : 0);
  }
  void switch_msix(bool on) { write_config(kMsixCapability + 2, on ? 0x8000 : 0, 2); }

  FakeFunction* device_ = nullptr;
  Lines lines_;
  std::unique_ptr<Function> function_;
};

TEST_F(VfioFunction, HasTheDevicesIdentityAndBars) {
  create();
  EXPECT_EQ(read_config(0), 0x10ca'8086u);
  EXPECT_EQ(function_->bars()[0].size, 16 * kKiB);
  EXPECT_TRUE(function_->bars()[3].is_prefetchable);
  write_config(0x10, ~0u);
  EXPECT_EQ(read_config(0x10), 0xffff'c00cu);
  EXPECT_EQ(device_->config[0x13], 0) << "BARs are the host's";
}

TEST_F(VfioFunction, ExtendedCapabilitiesAreTheHosts) {
  create();
  EXPECT_EQ(read_config(0x100), 0u);
}

TEST_F(VfioFunction, MapsAllButTheTablesPages) {
  create();
  std::vector<std::pair<u32, Area>> direct;
  for (const Function::Direct& part : function_->direct()) direct.emplace_back(part.bar, part.area);
  EXPECT_EQ(direct, (std::vector<std::pair<u32, Area>>{
                        {0, {0, 0x4000}}, {3, {0x1000, 0x1000}}, {3, {0x3000, 0x1000}}}));
}

TEST_F(VfioFunction, DecodingStaysOnAndBusMasteringIsTheGuests) {
  create();
  EXPECT_EQ(device_->config[0x04], 2);
  write_config(4, 6, 2);
  EXPECT_EQ(device_->config[0x04], 6);
  write_config(4, 0, 2);
  EXPECT_EQ(device_->config[0x04], 2);
  EXPECT_EQ(read_config(4, 2), 0u);
}

TEST_F(VfioFunction, CapabilitiesPassToWhereTheDeviceHasThem) {
  create();
  EXPECT_EQ(read_config(0x40) & 0xff, 0x10u);
  EXPECT_EQ(read_config(0x48), 0x1234u);
  device_->set(0xa8, 4, 0x5678);
  EXPECT_EQ(read_config(0x48), 0x5678u) << "the device's, as it is now";
  write_config(0x48, 0xbeef, 2);
  EXPECT_EQ(device_->config[0xa8], 0xef);
  EXPECT_EQ(device_->config[0xaa], 0) << "only what was written";
  write_config(0x40, 0xffff'ffff);
  EXPECT_EQ(device_->config[0xa0], 0x10) << "the head of a capability is no register";
  EXPECT_EQ(device_->config[0xa2], 0xff) << "what follows in the same word is";
  EXPECT_EQ(read_config(0x40, 1), 0x10u);
}

TEST_F(VfioFunction, TriggersAreOnFromTheStartAndHeldBack) {
  create();
  EXPECT_EQ(device_->triggers, (std::vector<int>{100, 101, 102}));
  EXPECT_TRUE(lines_.delivers.empty());
}

TEST_F(VfioFunction, AVectorDeliversWhileItIsOpen) {
  create();
  program(1, 0x41, false);
  EXPECT_TRUE(lines_.delivers.empty()) << "MSI-X is off";
  switch_msix(true);
  EXPECT_EQ(lines_.delivers, (std::map<u32, bool>{{1, true}}));
  EXPECT_EQ(lines_.messages[1], (MsiMessage{0xfee0'1000, 0, 0x41}));
  program(1, 0x41, true);
  EXPECT_FALSE(lines_.delivers[1]);
  program(1, 0x42, false);
  EXPECT_TRUE(lines_.delivers[1]);
  EXPECT_EQ(lines_.messages[1]->data, 0x42u);
  write_config(kMsixCapability + 2, 0xc000, 2);
  EXPECT_FALSE(lines_.delivers[1]) << "the function's mask";
  switch_msix(true);
  EXPECT_TRUE(lines_.delivers[1]);
  switch_msix(false);
  EXPECT_FALSE(lines_.delivers[1]);
}

TEST_F(VfioFunction, TheTableIsOursAndTheDeviceNeverSeesIt) {
  create();
  program(2, 0x43, false);
  EXPECT_EQ(read_bar(kTableBar, 2 * 16 + 8), 0x43u);
  EXPECT_EQ(device_->memory[kTableBar][2 * 16 + 8], std::byte{0});
}

TEST_F(VfioFunction, WhatIsHeldBackIsPending) {
  create();
  program(0, 0x41, true);
  switch_msix(true);
  lines_.kept[0] = true;
  EXPECT_EQ(read_bar(kTableBar, 0x2000), 1u);
  EXPECT_EQ(read_bar(kTableBar, 0x2000), 1u) << "until it is sent";
  program(0, 0x41, false);
  EXPECT_EQ(lines_.sent, (std::vector<u32>{0}));
  EXPECT_EQ(read_bar(kTableBar, 0x2000), 0u);
}

TEST_F(VfioFunction, WhatCameWhileMsixWasOffIsForgotten) {
  create();
  program(0, 0x41, true);
  lines_.kept[0] = true;
  switch_msix(true);
  EXPECT_EQ(read_bar(kTableBar, 0x2000), 0u);
}

TEST_F(VfioFunction, RegistersBesideTheTableAreTheDevices) {
  create();
  write_bar(kTableBar, 0x800, 0xcafe);
  EXPECT_EQ(device_->memory[kTableBar][0x800], std::byte{0xfe});
  EXPECT_EQ(read_bar(kTableBar, 0x800), 0xcafeu);
  write_bar(kTableBar, 0x2000, 0xffff);
  EXPECT_EQ(device_->memory[kTableBar][0x2000], std::byte{0}) << "pending bits take nothing";
}

TEST_F(VfioFunction, BelowAPageTheRestIsEmpty) {
  auto device = std::make_unique<FakeFunction>();
  device->set_bar(2, 0x100, 0);
  create(std::move(device));
  EXPECT_EQ(function_->bars()[2].size, kPageSize);
  write_bar(2, 0xfc, 7);
  EXPECT_EQ(read_bar(2, 0xfc), 7u);
  EXPECT_EQ(read_bar(2, 0xfe), ~0u);
  EXPECT_EQ(read_bar(2, 0x100), ~0u);
  write_bar(2, 0x100, 7);
}

TEST_F(VfioFunction, TableAndPendingBitsInDifferentBars) {
  auto device = std::make_unique<FakeFunction>();
  device->set(0x78, 4, 0x1000);  // BAR 0
  create(std::move(device));
  EXPECT_EQ(read_config(kMsixCapability + 8), 0x1000u);
  switch_msix(true);
  lines_.kept[2] = true;
  EXPECT_EQ(read_bar(0, 0x1000), 4u);
}

TEST_F(VfioFunction, ShowsAsManyVectorsAsItHasLinesFor) {
  auto device = std::make_unique<FakeFunction>();
  device->set(0x72, 2, 255);
  create(std::move(device));
  EXPECT_EQ(function_->vectors(), 64u);
  EXPECT_EQ(read_config(kMsixCapability + 2, 2), 63u);
  EXPECT_EQ(device_->triggers.size(), 64u);
  write_bar(kTableBar, 64 * 16, 1);
  switch_msix(true);
  EXPECT_TRUE(lines_.delivers.empty());
}

TEST_F(VfioFunction, RefusesWhatCannotBePassed) {
  auto device = std::make_unique<FakeFunction>();
  device->set(0x70, 1, 0x05);
  EXPECT_NE(refusal(std::move(device)).find("0000:01:10.0: it has no MSI-X"), std::string::npos);
  device = std::make_unique<FakeFunction>();
  device->set(0x0e, 1, 0x81);
  EXPECT_NE(refusal(std::move(device)).find("bridge"), std::string::npos);
  device = std::make_unique<FakeFunction>();
  device->set(0x74, 4, 0x4003);
  EXPECT_NE(refusal(std::move(device)).find("MSI-X table"), std::string::npos);
  device = std::make_unique<FakeFunction>();
  device->set(0x1c, 4, 0x1);
  EXPECT_NE(refusal(std::move(device)).find("MSI-X table"), std::string::npos) << "ports";
}

}  // namespace
}  // namespace mote::vfio
