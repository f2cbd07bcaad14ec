// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/host_functions.hpp"

#include <gtest/gtest.h>

#include "tests/unit/devices/vfio/fake_host.hpp"

namespace mote::vfio {
namespace {

using test::FakeHost;

constexpr PciAddress kPhysical{0, 1, 0, 0};
constexpr PciAddress kVirtual{0, 1, 0x10, 0};

TEST(HostFunctions, ShowWhatSysfsSays) {
  const FakeHost host;
  ASSERT_TRUE(host.set_virtuals(kPhysical, 2));
  const auto physical = host.look_at(kPhysical);
  ASSERT_TRUE(physical);
  EXPECT_EQ(*physical, (HostFunction{.address = kPhysical,
                                     .vendor = 0x8086,
                                     .device = 0x10ca,
                                     .class_code = 0x020000,
                                     .driver = "igb",
                                     .group = 11,
                                     .virtual_limit = 7,
                                     .virtuals = {kVirtual, {0, 1, 0x10, 2}}}));
  const auto virtual_one = host.look_at(kVirtual);
  ASSERT_TRUE(virtual_one);
  EXPECT_EQ(virtual_one->physical, kPhysical);
  EXPECT_EQ(virtual_one->virtual_limit, std::nullopt);
}

TEST(HostFunctions, AreListedByAddress) {
  const FakeHost host;
  host.add("0000:00:1f.0", "", "", "0x060100");
  ASSERT_TRUE(host.set_virtuals(kPhysical, 1));
  const auto functions = host.list();
  ASSERT_TRUE(functions);
  ASSERT_EQ(functions->size(), 3u);
  EXPECT_EQ((*functions)[0].address, (PciAddress{0, 0, 0x1f, 0}));
  EXPECT_EQ((*functions)[0].group, std::nullopt);
  EXPECT_EQ((*functions)[0].driver, "");
  EXPECT_EQ((*functions)[2].address, kVirtual);
}

TEST(HostFunctions, AreNoneWithoutPci) {
  const auto functions = HostFunctions("/nonexistent").list();
  ASSERT_FALSE(functions);
  EXPECT_NE(functions.error().message().find("no PCI"), std::string::npos);
}

TEST(HostFunctions, OneThatIsNotThereIsAnError) {
  const FakeHost host;
  const auto function = host.look_at({0, 9, 9, 0});
  ASSERT_FALSE(function);
  EXPECT_NE(function.error().message().find("0000:09:09.0"), std::string::npos);
}

TEST(HostFunctions, FactsOfTheHost) {
  const FakeHost host;
  EXPECT_TRUE(host.facts().has_driver);
  EXPECT_TRUE(host.facts().has_container);
  EXPECT_TRUE(host.facts().remaps_interrupts);
  host.put(host.root() + "/proc/interrupts", " 24: 0 PCI-MSI 0-edge eth0\n");
  EXPECT_FALSE(host.facts().remaps_interrupts);
  const std::array<bool, 2> neither{};
  EXPECT_EQ(host.facts().unsafe_interrupts, neither);
  host.put(host.root() + "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n");
  EXPECT_EQ(host.facts().unsafe_interrupts, (std::array{true, false}));
  host.put(host.root() + "/sys/module/iommufd/parameters/allow_unsafe_interrupts", "Y\n");
  EXPECT_EQ(host.facts().unsafe_interrupts, (std::array{true, true}));
}

TEST(HostFunctions, IommufdIsThereWithItsTwoNodes) {
  const FakeHost host;
  EXPECT_EQ(host.facts().iommufd_node, NodeAccess::kNone);
  ASSERT_TRUE(host.bind(kPhysical));
  EXPECT_EQ(host.look_at(kPhysical)->device_file, "");
  std::filesystem::create_directories(host.device("0000:01:00.0") / "vfio-dev/vfio3");
  EXPECT_EQ(host.look_at(kPhysical)->device_file, "vfio3");
  EXPECT_EQ(host.look_at(kPhysical)->device_node, NodeAccess::kNone) << "a kernel without CDEV";
  host.put(host.root() + "/dev/vfio/devices/vfio3", "");
  EXPECT_EQ(host.look_at(kPhysical)->device_node, NodeAccess::kOpens);
  host.put(host.root() + "/dev/iommu", "");
  EXPECT_EQ(host.facts().iommufd_node, NodeAccess::kOpens);
}

TEST(HostFunctions, BindingGoesByDriverOverride) {
  const FakeHost host;
  ASSERT_TRUE(host.set_virtuals(kPhysical, 1));
  ASSERT_TRUE(host.bind(kVirtual));
  EXPECT_EQ(host.writes(),
            (std::vector<std::string>{"sriov_numvfs 1", "driver_override vfio-pci",
                                      "unbind 0000:01:10.0", "drivers_probe 0000:01:10.0"}));
  EXPECT_EQ(host.look_at(kVirtual)->driver, "vfio-pci");
  EXPECT_EQ(host.look_at(kVirtual)->group_node, NodeAccess::kOpens);
}

TEST(HostFunctions, OneWithoutADriverIsBoundWithoutUnbinding) {
  const FakeHost host;
  host.add("0000:02:00.0", "", "12");
  ASSERT_TRUE(host.bind({0, 2, 0, 0}));
  EXPECT_EQ(host.writes(),
            (std::vector<std::string>{"driver_override vfio-pci", "drivers_probe 0000:02:00.0"}));
}

TEST(HostFunctions, ReleaseGivesBackWhatWasBound) {
  const FakeHost host;
  ASSERT_TRUE(host.bind(kPhysical));
  ASSERT_TRUE(host.release(kPhysical));
  EXPECT_EQ(host.look_at(kPhysical)->driver, "igb");
  EXPECT_EQ(host.writes()[3], "driver_override \n");
}

TEST(HostFunctions, WhatCannotBeWrittenIsNamed) {
  const FakeHost host;
  host.add("0000:02:00.0", "", "12");
  const auto made = host.set_virtuals({0, 2, 0, 0}, 1);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message().find("0000:02:00.0/sriov_numvfs"), std::string::npos);
}

TEST(HostFunctions, DriversForUserSpaceAreKnownByTheirEnd) {
  EXPECT_TRUE(is_vfio_driver("vfio-pci"));
  EXPECT_TRUE(is_vfio_driver("mlx5_vfio_pci"));
  EXPECT_FALSE(is_vfio_driver("igbvf"));
  EXPECT_FALSE(is_vfio_driver(""));
}

}  // namespace
}  // namespace mote::vfio
