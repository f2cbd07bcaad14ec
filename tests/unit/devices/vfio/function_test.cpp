// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/function.hpp"

#include <gtest/gtest.h>

#include "tests/unit/devices/vfio/function_fixture.hpp"

namespace mote::vfio {
namespace {

using test::FakeFunction;
using test::kMsixCapability;
using test::kTableBar;
using test::VfioFunction;

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
  EXPECT_EQ(direct(), (std::vector<std::pair<u32, Area>>{
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
  EXPECT_EQ(lines_.began_with[1], lines_.messages[1]) << "the route comes before the irqfd";
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

TEST_F(VfioFunction, TakesItsInterruptsWithIt) {
  create();
  switch_msix(true);
  program(0, 0x41, false);
  program(1, 0x42, false);
  program(1, 0x42, true);
  ASSERT_TRUE(lines_.delivers[0]);
  ASSERT_TRUE(lines_.messages[1]);
  function_->disconnect();
  EXPECT_EQ(lines_.delivers, (std::map<u32, bool>{{0, false}, {1, false}}));
  EXPECT_EQ(lines_.messages,
            (std::map<u32, std::optional<MsiMessage>>{{0, std::nullopt}, {1, std::nullopt}}));
  EXPECT_FALSE(lines_.messages.contains(2)) << "which had none";
}

TEST_F(VfioFunction, RefusesWhatCannotBePassed) {
  auto device = std::make_unique<FakeFunction>();
  device->set(0x70, 1, 0x03);
  EXPECT_NE(refusal(std::move(device)).find("0000:01:10.0: it has no MSI-X and no MSI"),
            std::string::npos);
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
