// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/resource_rules.hpp"

#include <gtest/gtest.h>

#include "vmm/config/resource_json.hpp"

namespace mote {
namespace {

std::string ids(const std::vector<BlockConfig>& drives) {
  std::string text;
  for (const BlockConfig& drive : drives) text += drive.id + (drive.root ? "* " : " ");
  return text;
}

TEST(ResourceRules, KeepTheRootFirst) {
  std::vector<BlockConfig> drives;
  ASSERT_TRUE(put_drive(drives, {.id = "a", .path = "/a"}));
  ASSERT_TRUE(put_drive(drives, {.id = "b", .path = "/b"}));
  ASSERT_TRUE(put_drive(drives, {.id = "r", .path = "/r", .root = true}));
  EXPECT_EQ(ids(drives), "r* a b ");
  ASSERT_TRUE(put_drive(drives, {.id = "a", .path = "/other"}));
  EXPECT_EQ(ids(drives), "r* a b ") << "what is replaced keeps its place";
  EXPECT_EQ(find_drive(drives, "a")->path, "/other");
  const auto second = put_drive(drives, {.id = "b", .path = "/b", .root = true});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message(), "A root block device already exists!");
  ASSERT_TRUE(put_drive(drives, {.id = "r", .path = "/r"}));
  ASSERT_TRUE(put_drive(drives, {.id = "b", .path = "/b", .root = true}));
  EXPECT_EQ(ids(drives), "b* r a ");
  EXPECT_EQ(find_drive(drives, "c"), nullptr);
}

TEST(ResourceRules, LetNoTwoInterfacesBeAlike) {
  std::vector<NetConfig> nets;
  const MacAddress mac = {2, 0, 0, 0, 0, 1};
  ASSERT_TRUE(put_net(nets, {.id = "1", .tap = "tap0", .mac = mac}));
  const auto problem = [&](NetConfig net) {
    const auto put = put_net(nets, std::move(net));
    return put ? "accepted" : put.error().message();
  };
  EXPECT_EQ(problem({.id = "2", .tap = "tap1", .mac = mac}),
            "The MAC address is already in use: 02:00:00:00:00:01");
  EXPECT_EQ(problem({.id = "2", .tap = "tap0"}),
            "Could not create the network device: interface '1' has tap 'tap0'");
  EXPECT_EQ(problem({.id = "2", .tap = "tap1", .mac = MacAddress{1, 0, 0, 0, 0, 1}}),
            "The MAC address is not that of one interface: 01:00:00:00:00:01");
  EXPECT_NE(problem({.id = "2", .tap = "a name with spaces"}), "accepted");
  EXPECT_EQ(problem({.id = "1", .tap = "tap1", .mac = mac}), "accepted") << "it replaces itself";
  EXPECT_EQ(nets.size(), 1U);
  EXPECT_EQ(find_net(nets, "1")->tap, "tap1");
}

TEST(ResourceRules, LetADeviceOfTheHostBeThereOnce) {
  const PciAddress first = {0, 1, 0x10, 0};
  const PciAddress second = {0, 1, 0x10, 2};
  std::vector<VfioConfig> devices;
  ASSERT_TRUE(put_vfio(devices, {first, "a"}));
  const auto twice = put_vfio(devices, {first, "b"});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().message(), "device 'a' has 0000:01:10.0 already");
  ASSERT_TRUE(put_vfio(devices, {second, "b"}));
  EXPECT_FALSE(put_vfio(devices, {second, "a"}));
  ASSERT_TRUE(put_vfio(devices, {first, "a"})) << "it replaces itself";
  EXPECT_EQ(devices, (std::vector<VfioConfig>{{first, "a"}, {second, "b"}}));
  EXPECT_EQ(find_vfio(devices, "b"), &devices[1]);
  EXPECT_EQ(find_vfio(devices, "c"), nullptr);
}

TEST(ResourceRules, ShowAllThatThereIs) {
  VmConfig config;
  EXPECT_EQ(vm_json(config),
            R"({"balloon":null,"drives":[],"boot-source":null,"cpu-config":null,"logger":null,)"
            R"("machine-config":{"vcpu_count":1,"mem_size_mib":128,"smt":false,)"
            R"("track_dirty_pages":false,"huge_pages":"None"},"metrics":null,"mmds-config":null,)"
            R"("network-interfaces":[],"vsock":null,"entropy":null,"memory-hotplug":null,)"
            R"("pmem":[],"vfio-devices":[]})");
  config.kernel = {"/k", "", "quiet"};
  ASSERT_TRUE(put_drive(config.blocks, {.id = "r", .path = "/\"r\"", .root = true}));
  config.blocks[0].bandwidth = RateLimit{1, 2, 3};
  ASSERT_TRUE(
      put_net(config.nets, {.id = "1", .tap = "tap0", .mac = MacAddress{2, 0, 0, 0, 0, 1}}));
  const std::string text = vm_json(config);
  EXPECT_NE(text.find(R"("boot-source":{"kernel_image_path":"/k","initrd_path":null,)"
                      R"("boot_args":"quiet"})"),
            std::string::npos);
  EXPECT_NE(
      text.find(R"([{"drive_id":"r","partuuid":null,"is_root_device":true,)"
                R"("cache_type":"Writeback","is_read_only":false,"path_on_host":"/\"r\"",)"
                R"("rate_limiter":{"bandwidth":{"size":1,"one_time_burst":3,"refill_time":2},)"
                R"("ops":null},"io_engine":"Async","socket":null}])"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find(R"([{"iface_id":"1","host_dev_name":"tap0","guest_mac":"02:00:00:00:00:01",)"
                      R"("mtu":null,"rx_rate_limiter":null,"tx_rate_limiter":null}])"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace mote
