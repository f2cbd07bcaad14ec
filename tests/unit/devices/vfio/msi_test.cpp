// SPDX-License-Identifier: Apache-2.0
// A function whose device has MSI and no MSI-X.
#include <gtest/gtest.h>

#include "tests/unit/devices/vfio/function_fixture.hpp"

namespace mote::vfio {
namespace {

using test::FakeFunction;

constexpr u32 kCapability = 0x70;  // behind PCI Express and power management
constexpr u16 kOn = 1;

class VfioMsi : public test::VfioFunction {
 protected:
  static std::unique_ptr<FakeFunction> device_with(u16 control) {
    auto device = std::make_unique<FakeFunction>();
    device->set(0x70, 1, 0x05);
    device->set(0x72, 2, control);
    device->set(0x74, 4, 0);
    device->set(0x78, 4, 0);
    return device;
  }
  void program(u32 address, u16 data, u32 data_offset) {
    write_config(kCapability + 4, address);
    write_config(kCapability + data_offset, data, 2);
  }
  void set_control(u16 control) { write_config(kCapability + 2, control, 2); }
};

TEST_F(VfioMsi, IsOnInTheDeviceFromTheStart) {
  create(device_with(2 << 1));
  EXPECT_EQ(function_->vectors(), 4u);
  EXPECT_EQ(device_->triggers, (std::vector<int>{100, 101, 102, 103}));
  EXPECT_EQ(device_->triggers_kind, InterruptKind::kMsi);
  EXPECT_TRUE(lines_.delivers.empty());
}

TEST_F(VfioMsi, IsTheGuestsInTheConfigurationSpaceAlone) {
  create(device_with(0x80));
  const Snapshot before = device_->config;
  EXPECT_EQ(read_config(kCapability), 0x0080'0005u);
  program(0xfee0'1000, 0x41, 12);
  set_control(kOn);
  EXPECT_EQ(read_config(kCapability), 0x0081'0005u);
  EXPECT_EQ(read_config(kCapability + 12, 2), 0x41u);
  EXPECT_EQ(device_->config, before);
}

TEST_F(VfioMsi, ItsBarsAreAllTheGuests) {
  create(device_with(0));
  EXPECT_EQ(direct(), (std::vector<std::pair<u32, Area>>{{0, {0, 0x4000}}, {3, {0, 0x4000}}}));
  write_bar(3, 0, 0xcafe);
  EXPECT_EQ(device_->memory[3][0], std::byte{0xfe});
}

TEST_F(VfioMsi, DeliversWhileItIsOn) {
  create(device_with(0));
  program(0xfee0'1000, 0x41, 8);
  EXPECT_EQ(lines_.message_changes, 0u) << "it is off";
  set_control(kOn);
  EXPECT_EQ(lines_.delivers, (std::map<u32, bool>{{0, true}}));
  EXPECT_EQ(lines_.messages[0], (MsiMessage{0xfee0'1000, 0, 0x41}));
  set_control(0);
  EXPECT_FALSE(lines_.delivers[0]);
  set_control(kOn);
  EXPECT_TRUE(lines_.delivers[0]);
  EXPECT_EQ(lines_.message_changes, 1u) << "the same message again costs nothing";
  program(0xfee0'1000, 0x42, 8);
  EXPECT_EQ(lines_.messages[0]->data, 0x42u) << "moved while it is on";
  EXPECT_EQ(lines_.message_changes, 2u);
}

TEST_F(VfioMsi, AGuestWithFewerVectorsHasThemShared) {
  create(device_with(2 << 1));
  program(0xfee0'1000, 0x40, 8);
  set_control(kOn | 1 << 4);
  std::vector<u32> data;
  for (const auto& [vector, message] : lines_.messages) data.push_back(message->data);
  EXPECT_EQ(data, (std::vector<u32>{0x40, 0x41, 0x40, 0x41}));
  set_control(kOn | 2 << 4);
  EXPECT_EQ(lines_.messages[2]->data, 0x42u);
  EXPECT_EQ(lines_.messages[3]->data, 0x43u);
}

TEST_F(VfioMsi, MasksHoldBackAndWhatIsHeldBackIsPending) {
  create(device_with(0x100 | 1 << 1));
  program(0xfee0'1000, 0x40, 8);
  write_config(kCapability + 12, 2);
  set_control(kOn | 1 << 4);
  EXPECT_EQ(lines_.delivers, (std::map<u32, bool>{{0, true}}));
  lines_.kept[1] = true;
  EXPECT_EQ(read_config(kCapability + 16), 2u);
  EXPECT_EQ(read_config(kCapability + 16, 1), 2u) << "until it is sent";
  EXPECT_EQ(read_config(kCapability + 17, 1), 0u);
  write_config(kCapability + 12, 0);
  EXPECT_EQ(lines_.sent, (std::vector<u32>{1}));
  EXPECT_TRUE(lines_.delivers[1]);
  EXPECT_EQ(read_config(kCapability + 16), 0u);
}

TEST_F(VfioMsi, AHostWithFewerInterruptsShowsFewer) {
  auto device = device_with(4 << 1);
  device->host_interrupts = 5;
  create(std::move(device));
  EXPECT_EQ(function_->vectors(), 4u);
  EXPECT_EQ(device_->triggers.size(), 4u);
  EXPECT_EQ(read_config(kCapability + 2, 2), 2u << 1);
}

TEST_F(VfioMsi, WithMsixAsWellThereIsMsixAlone) {
  auto device = std::make_unique<FakeFunction>();
  device->set(0xa0, 4, 0x0080'c805);  // in place of PCI Express
  create(std::move(device));
  EXPECT_EQ(device_->triggers_kind, InterruptKind::kMsix);
  for (u32 at = read_config(0x34, 1); at != 0; at = read_config(at + 1, 1)) {
    EXPECT_NE(read_config(at, 1), 0x05u);
  }
}

TEST_F(VfioMsi, ACapabilityThatIsCutIsNone) {
  auto device = device_with(0x180);
  device->set(0x34, 1, 0xf8);
  device->set(0xf8, 4, 0x0180'0005);
  EXPECT_NE(refusal(std::move(device)).find("no MSI"), std::string::npos);
}

}  // namespace
}  // namespace mote::vfio
