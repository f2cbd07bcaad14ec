// SPDX-License-Identifier: Apache-2.0
// Where control groups are mounted, from the text of /proc.
#include "jail/cgroup/hierarchy.hpp"

#include <gtest/gtest.h>

namespace mote::jail {
namespace {

constexpr std::string_view kUnifiedMount =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr std::string_view kSplitMounts =
    "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    "34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

TEST(CgroupHierarchyTest, OneTree) {
  const auto found = parse_cgroup_hierarchies(kUnifiedMount, "0::/user.slice/a.scope\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].unified);
  EXPECT_EQ(found[0].mount, "/sys/fs/cgroup");
  EXPECT_EQ(found[0].own, "/user.slice/a.scope");
}

TEST(CgroupHierarchyTest, ATreePerController) {
  const auto found = parse_cgroup_hierarchies(
      kSplitMounts, "7:name=systemd:/\n4:memory:/jobs/1\n2:cpu,cpuacct:/\n0::/\n");
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].mount, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_TRUE(found[0].has("cpu"));
  EXPECT_TRUE(found[0].has("cpuacct"));
  EXPECT_FALSE(found[0].has("cpuse"));
  EXPECT_EQ(found[0].own, "");
  EXPECT_EQ(found[1].own, "/jobs/1");
  EXPECT_FALSE(found[1].unified);
  EXPECT_TRUE(found[2].has("name=systemd"));
  EXPECT_TRUE(found[3].unified);
}

TEST(CgroupHierarchyTest, AContainerSeesAPartOfTheTree) {
  constexpr std::string_view kPart =
      "31 30 0:27 /box/7 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
  auto found = parse_cgroup_hierarchies(kPart, "4:memory:/box/7/inner\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].own, "/inner");
  found = parse_cgroup_hierarchies(kPart, "4:memory:/box/7\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].own, "");
  // Elsewhere: no way to the group of this process.
  EXPECT_TRUE(parse_cgroup_hierarchies(kPart, "4:memory:/box/77\n").empty());
  EXPECT_TRUE(parse_cgroup_hierarchies(kUnifiedMount, "0::/../other\n").empty());
}

TEST(CgroupHierarchyTest, MountPointsMayHoldSpaces) {
  const auto found =
      parse_cgroup_hierarchies("30 23 0:26 / /my\\040groups rw - cgroup2 none rw\n", "0::/\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].mount, "/my groups");
}

TEST(CgroupHierarchyTest, WhatMakesNoSenseIsLeftOut) {
  EXPECT_TRUE(parse_cgroup_hierarchies("", "").empty());
  EXPECT_TRUE(parse_cgroup_hierarchies("30 23 - cgroup2\n - \n", "0::/\n0\n::\n").empty());
  EXPECT_TRUE(parse_cgroup_hierarchies(kUnifiedMount, "4:memory:/\n").empty());
}

}  // namespace
}  // namespace mote::jail
