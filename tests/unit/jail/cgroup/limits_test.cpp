// SPDX-License-Identifier: Apache-2.0
// Limits as the files of v1 and of v2.
#include "jail/cgroup/limits.hpp"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

namespace mote::jail {

/// For messages of GoogleTest.
static void PrintTo(const CgroupSetting& setting, std::ostream* out) {
  *out << setting.file << "=" << setting.value;
}

namespace {

using Settings = std::vector<CgroupSetting>;

TEST(CgroupLimitsTest, NoLimitTakesNoController) {
  EXPECT_TRUE(cgroup_controllers({}).empty());
}

TEST(CgroupLimitsTest, CpuIsATimeInAPeriod) {
  const auto controllers = cgroup_controllers({.cpu_milli = 1500});
  ASSERT_EQ(controllers.size(), 1U);
  EXPECT_EQ(controllers[0].v2_settings, (Settings{{"cpu.max", "150000 100000"}}));
  EXPECT_EQ(controllers[0].v1_settings,
            (Settings{{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", "150000"}}));
}

TEST(CgroupLimitsTest, LeastCpuIsWhatTheKernelTakes) {
  const auto controllers = cgroup_controllers({.cpu_milli = 10});
  EXPECT_EQ(controllers.at(0).v2_settings, (Settings{{"cpu.max", "1000 100000"}}));
}

TEST(CgroupLimitsTest, WeightIsSharesInV1) {
  const auto weight = [](u32 value) { return cgroup_controllers({.cpu_weight = value}).at(0); };
  EXPECT_EQ(weight(100).v2_settings, (Settings{{"cpu.weight", "100"}}));
  EXPECT_EQ(weight(100).v1_settings, (Settings{{"cpu.shares", "1024"}}));
  EXPECT_EQ(weight(10000).v1_settings, (Settings{{"cpu.shares", "102400"}}));
  EXPECT_EQ(weight(1).v1_settings, (Settings{{"cpu.shares", "10"}}));
}

TEST(CgroupLimitsTest, MemoryAndPids) {
  const auto controllers = cgroup_controllers({.memory = 256 * kMiB, .pids = 16});
  ASSERT_EQ(controllers.size(), 2U);
  EXPECT_EQ(controllers[0].v2_settings, (Settings{{"memory.max", "268435456"}}));
  EXPECT_EQ(controllers[0].v1_settings, (Settings{{"memory.limit_in_bytes", "268435456"}}));
  EXPECT_EQ(controllers[1].v2_settings, (Settings{{"pids.max", "16"}}));
  EXPECT_EQ(controllers[1].v1_settings, (Settings{{"pids.max", "16"}}));
}

TEST(CgroupLimitsTest, RatesOfEachDevice) {
  CgroupLimits limits;
  limits.read.bytes = 1000;
  limits.write.operations = 20;
  EXPECT_TRUE(cgroup_controllers(limits).empty());  // there is no device
  limits.devices = {makedev(254, 0), makedev(8, 16)};
  const auto controllers = cgroup_controllers(limits);
  ASSERT_EQ(controllers.size(), 1U);
  EXPECT_EQ(controllers[0].v1, "blkio");
  EXPECT_EQ(controllers[0].v2, "io");
  EXPECT_EQ(controllers[0].v2_settings, (Settings{{"io.max", "254:0 rbps=1000 wiops=20"},
                                                  {"io.max", "8:16 rbps=1000 wiops=20"}}));
  EXPECT_EQ(controllers[0].v1_settings,
            (Settings{{"blkio.throttle.read_bps_device", "254:0 1000"},
                      {"blkio.throttle.write_iops_device", "254:0 20"},
                      {"blkio.throttle.read_bps_device", "8:16 1000"},
                      {"blkio.throttle.write_iops_device", "8:16 20"}}));
}

TEST(CgroupLimitsTest, DevicesWithoutRatesTakeNoController) {
  EXPECT_TRUE(cgroup_controllers({.devices = {makedev(254, 0)}}).empty());
}

}  // namespace
}  // namespace mote::jail
