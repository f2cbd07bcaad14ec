// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/way.hpp"

#include <gtest/gtest.h>

namespace mote::vfio {
namespace {

HostFunction function_with(NodeAccess group, NodeAccess device) {
  return {.driver = "vfio-pci", .group = 12, .group_node = group, .device_node = device};
}

HostFacts host_with(NodeAccess iommufd) {
  return {.has_container = true, .iommufd_node = iommufd};
}

constexpr NodeAccess kNone = NodeAccess::kNone;
constexpr NodeAccess kDenied = NodeAccess::kDenied;
constexpr NodeAccess kOpens = NodeAccess::kOpens;

TEST(Way, IommufdWhereBothOfItsFilesOpen) {
  EXPECT_EQ(way_to(function_with(kOpens, kOpens), host_with(kOpens)), Way::kIommufd);
  EXPECT_EQ(way_to(function_with(kDenied, kOpens), host_with(kOpens)), Way::kIommufd);
}

TEST(Way, ElseTheContainerWhereThatOpens) {
  EXPECT_EQ(way_to(function_with(kOpens, kDenied), host_with(kOpens)), Way::kContainer);
  EXPECT_EQ(way_to(function_with(kOpens, kOpens), host_with(kDenied)), Way::kContainer);
}

TEST(Way, AKernelWithoutOneOfTheFilesHasNoIommufd) {
  EXPECT_EQ(way_to(function_with(kDenied, kNone), host_with(kOpens)), Way::kContainer);
  EXPECT_EQ(way_to(function_with(kDenied, kOpens), host_with(kNone)), Way::kContainer);
}

TEST(Way, WhereNothingOpensIommufdIsTheOneToReady) {
  EXPECT_EQ(way_to(function_with(kDenied, kDenied), host_with(kOpens)), Way::kIommufd);
  HostFacts facts = host_with(kDenied);
  facts.has_container = false;
  EXPECT_EQ(way_to(function_with(kOpens, kOpens), facts), Way::kIommufd);
}

TEST(Way, IsTheSameForAllDevicesOfAVm) {
  const HostFunction both[] = {function_with(kOpens, kOpens), function_with(kOpens, kDenied)};
  EXPECT_EQ(way_to_all(std::span(both, 1), host_with(kOpens)), Way::kIommufd);
  EXPECT_EQ(way_to_all(both, host_with(kOpens)), Way::kContainer);
}

}  // namespace
}  // namespace mote::vfio
