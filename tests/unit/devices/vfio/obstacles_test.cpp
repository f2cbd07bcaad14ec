// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/obstacles.hpp"

#include <gtest/gtest.h>

namespace mote::vfio {
namespace {

constexpr PciAddress kAddress{0, 1, 0x10, 0};
constexpr PciAddress kOther{0, 1, 0x10, 1};

HostFunction ready_function() {
  return {.address = kAddress,
          .class_code = 0x020000,
          .driver = "vfio-pci",
          .group = 12,
          .group_node = NodeAccess::kOpens};
}

HostFacts good_host() {
  return {.has_driver = true, .has_container = true, .remaps_interrupts = true};
}

/// Problem and remedy of the only obstacle.
std::pair<std::string, std::string> only(const HostFunction& function, const HostFacts& facts,
                                         std::vector<HostFunction> others = {},
                                         Way way = Way::kContainer) {
  others.push_back(function);
  const auto found = obstacles(function, others, facts, way, 128 * kMiB);
  EXPECT_EQ(found.size(), 1u);
  return found.empty() ? std::pair<std::string, std::string>()
                       : std::pair(found[0].problem, found[0].remedy);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Obstacles, AreNoneForWhatIsReady) {
  const HostFunction function = ready_function();
  EXPECT_TRUE(obstacles(function, std::span(&function, 1), good_host(), Way::kContainer, 128 * kMiB)
                  .empty());
}

TEST(Obstacles, NoIommu) {
  HostFunction function = ready_function();
  function.group.reset();
  const auto [problem, remedy] = only(function, good_host());
  EXPECT_TRUE(has(problem, "no IOMMU"));
  EXPECT_TRUE(has(remedy, "intel_iommu=on"));
}

TEST(Obstacles, ABridgeIsNeverPassed) {
  HostFunction function = ready_function();
  function.class_code = 0x060400;
  EXPECT_TRUE(has(only(function, good_host()).first, "bridge"));
}

TEST(Obstacles, TheDriverOfTheHostIsNamed) {
  HostFunction function = ready_function();
  function.driver = "igbvf";
  function.group_node = NodeAccess::kNone;
  const auto [problem, remedy] = only(function, good_host());
  EXPECT_TRUE(has(problem, "igbvf"));
  EXPECT_EQ(remedy, "sudo mote vfio prepare --bind 0000:01:10.0");
}

TEST(Obstacles, NoDriverAtAll) {
  HostFunction function = ready_function();
  function.driver.clear();
  HostFacts facts = good_host();
  facts.has_driver = false;
  const auto found =
      obstacles(function, std::span(&function, 1), facts, Way::kContainer, 128 * kMiB);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].remedy, "sudo modprobe vfio-pci");
  EXPECT_EQ(found[1].remedy, "sudo mote vfio prepare --bind 0000:01:10.0");
}

TEST(Obstacles, AGroupIsPassedAsAWhole) {
  HostFunction other = ready_function();
  other.address = kOther;
  other.driver = "nvme";
  const auto [problem, remedy] = only(ready_function(), good_host(), {other});
  EXPECT_TRUE(has(problem, "nvme has 0000:01:10.1")) << problem;
  EXPECT_EQ(remedy, "sudo mote vfio prepare --bind 0000:01:10.1");
}

TEST(Obstacles, SiblingsThatDoNoDmaAreHarmless) {
  std::vector<HostFunction> all = {ready_function()};
  for (const char* const driver : {"", "pcieport", "pci-stub", "vfio-pci"}) {
    all.push_back(ready_function());
    all.back().address = kOther;
    all.back().driver = driver;
  }
  all.push_back(ready_function());
  all.back().address = kOther;
  all.back().driver = "nvme";
  all.back().group = 13;
  EXPECT_TRUE(obstacles(all[0], all, good_host(), Way::kContainer, 128 * kMiB).empty());
}

TEST(Obstacles, APhysicalFunctionKeepsItsDriverForItsVirtualOnes) {
  HostFunction function = ready_function();
  function.driver = "igb";
  function.virtuals = {kOther};
  const auto found = obstacles_to_bind(function, good_host());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(has(found[0].problem, "1 virtual functions"));
  EXPECT_TRUE(has(found[0].remedy, "mote vfio release 0000:01:10.0"));
  const auto all =
      obstacles(function, std::span(&function, 1), good_host(), Way::kContainer, 128 * kMiB);
  EXPECT_EQ(all.size(), 1u) << "binding would be the wrong advice";
}

TEST(Obstacles, NodesOfTheGroup) {
  HostFunction function = ready_function();
  function.group_node = NodeAccess::kDenied;
  EXPECT_EQ(only(function, good_host()).second, "sudo chown $USER /dev/vfio/12");
  function.group_node = NodeAccess::kNone;
  EXPECT_EQ(only(function, good_host()).second, "a container needs --device /dev/vfio/12");
  HostFacts facts = good_host();
  facts.has_container = false;
  EXPECT_TRUE(has(only(ready_function(), facts).second, "modprobe vfio_iommu_type1"));
}

TEST(Obstacles, NodesOfIommufd) {
  HostFunction function = ready_function();
  function.group_node = NodeAccess::kNone;
  function.device_file = "vfio3";
  function.device_node = NodeAccess::kOpens;
  HostFacts facts = good_host();
  facts.has_container = false;
  facts.iommufd_node = NodeAccess::kOpens;
  EXPECT_TRUE(obstacles(function, std::span(&function, 1), facts, Way::kIommufd, 0).empty())
      << "the group's node is of no use";
  function.device_node = NodeAccess::kDenied;
  EXPECT_EQ(only(function, facts, {}, Way::kIommufd),
            std::pair(std::string("this user may not open /dev/vfio/devices/vfio3"),
                      std::string("sudo chown $USER /dev/vfio/devices/vfio3")));
  function.device_node = NodeAccess::kOpens;
  facts.iommufd_node = NodeAccess::kDenied;
  EXPECT_EQ(only(function, facts, {}, Way::kIommufd).second, "sudo chown $USER /dev/iommu");
}

TEST(Obstacles, InterruptsThatAreNotRemapped) {
  HostFacts facts = good_host();
  facts.remaps_interrupts = false;
  EXPECT_TRUE(has(only(ready_function(), facts).second,
                  "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"));
  EXPECT_TRUE(has(only(ready_function(), facts, {}, Way::kIommufd).second,
                  "/sys/module/iommufd/parameters/allow_unsafe_interrupts"));
  facts.unsafe_interrupts = {true, false};
  const HostFunction function = ready_function();
  EXPECT_TRUE(obstacles(function, std::span(&function, 1), facts, Way::kContainer, 0).empty());
  EXPECT_EQ(obstacles(function, std::span(&function, 1), facts, Way::kIommufd, 0).size(), 1u)
      << "each has its own";
}

TEST(Obstacles, MemoryThatMayBeLocked) {
  HostFacts facts = good_host();
  facts.lock_limit = 128 * kMiB;
  const HostFunction function = ready_function();
  EXPECT_TRUE(
      obstacles(function, std::span(&function, 1), facts, Way::kContainer, 128 * kMiB).empty());
  facts.lock_limit = 8 * kMiB;
  const auto [problem, remedy] = only(function, facts);
  EXPECT_TRUE(has(problem, "8192 KiB")) << problem;
  EXPECT_TRUE(has(remedy, "ulimit -l"));
}

}  // namespace
}  // namespace mote::vfio
