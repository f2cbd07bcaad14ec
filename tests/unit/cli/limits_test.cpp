// SPDX-License-Identifier: Apache-2.0
// Which disk of the host a guest's disk is on.
#include "cli/limits.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace mote {
namespace {

TEST(LimitsTest, WithoutLimitsThereIsNoGroup) {
  auto group = apply_limits(VmConfig{});
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_FALSE(group->has_value());
}

TEST(LimitsTest, AFileIsOnTheDiskOfItsFileSystem) {
  const auto disk = disk_of(MOTE_SOURCE_ROOT "/meson.build");
  struct stat status{};
  ASSERT_EQ(::stat(MOTE_SOURCE_ROOT "/meson.build", &status), 0);
  if (major(status.st_dev) == 0) {
    ASSERT_FALSE(disk);
    GTEST_SKIP() << "the project is on no one disk";
  }
  ASSERT_TRUE(disk) << disk.error().message();
  EXPECT_FALSE(std::filesystem::exists("/sys/dev/block/" + std::to_string(major(*disk)) + ":" +
                                       std::to_string(minor(*disk)) + "/partition"));
}

TEST(LimitsTest, APartIsOnItsWholeDisk) {
  const std::filesystem::path parts = "/sys/class/block";
  for (const auto& entry : std::filesystem::directory_iterator(parts)) {
    const auto device = "/dev/" + entry.path().filename().string();
    if (!std::filesystem::exists(entry.path() / "partition") || ::access(device.c_str(), F_OK) != 0)
      continue;
    const auto disk = disk_of(device);
    ASSERT_TRUE(disk) << disk.error().message();
    std::string whole;
    std::ifstream(std::filesystem::canonical(entry.path()).parent_path() / "dev") >> whole;
    EXPECT_EQ(std::to_string(major(*disk)) + ":" + std::to_string(minor(*disk)), whole);
    return;
  }
  GTEST_SKIP() << "no disk of this host has parts";
}

TEST(LimitsTest, WhatIsOnNoDiskIsAnError) {
  const auto disk = disk_of("/proc/self/maps");
  ASSERT_FALSE(disk);
  EXPECT_EQ(disk.error().fault(), Fault::kConfig);
  EXPECT_TRUE(disk.error().message().starts_with(
      "cannot limit the I/O of '/proc/self/maps': its file system"));
  EXPECT_EQ(disk_of("/no/such").error().message(),
            "cannot find the disk below '/no/such': No such file or directory (ENOENT)");
}

}  // namespace
}  // namespace mote
