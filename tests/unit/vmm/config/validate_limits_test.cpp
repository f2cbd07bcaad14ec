// SPDX-License-Identifier: Apache-2.0
// Whether a VM can live within its limits.
#include "vmm/config/validate_limits.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

class ValidateLimits : public testing::Test {
 protected:
  std::string verdict() const {
    const auto result = validate_limits(config_);
    if (!result) {
      EXPECT_EQ(result.error().fault(), Fault::kConfig);
    }
    return result ? "fine" : result.error().message();
  }

  VmConfig config_;
  LimitsConfig& limits_ = config_.limits;
};

TEST_F(ValidateLimits, AcceptsNone) {
  EXPECT_EQ(verdict(), "fine");
}

TEST_F(ValidateLimits, CpuTime) {
  limits_.cpu = 10;
  EXPECT_EQ(verdict(), "fine");
  limits_.cpu = 9;
  EXPECT_EQ(verdict(), "limits.cpu: 0.009 is out of range -- choose 0.01 to 1000");
  limits_.cpu = 1'000'001;
  EXPECT_EQ(verdict(), "limits.cpu: 1000.001 is out of range -- choose 0.01 to 1000");
  limits_.cpu.reset();
  limits_.cpu_weight = 0;
  EXPECT_EQ(verdict(), "limits.cpu_weight: 0 is out of range -- choose 1 to 10000");
  limits_.cpu_weight = 10'001;
  EXPECT_EQ(verdict(), "limits.cpu_weight: 10001 is out of range -- choose 1 to 10000");
}

TEST_F(ValidateLimits, MemoryHoldsTheGuestsAndMotes) {
  config_.machine.memory_bytes = 128 * kMiB;
  limits_.memory_bytes = 146 * kMiB;
  EXPECT_EQ(verdict(), "fine");
  limits_.memory_bytes = 145 * kMiB;
  EXPECT_EQ(verdict(),
            "limits.memory: 145MiB is too little for machine.memory = 128MiB: the kernel would end "
            "the VM when the guest uses what it has -- choose 146MiB or more, or less "
            "machine.memory");
  config_.machine.vcpus = 32;
  EXPECT_EQ(least_memory_limit(config_), 161 * kMiB);
}

TEST_F(ValidateLimits, HugePagesAreNotInTheLimit) {
  config_.machine.memory_bytes = kGiB;
  config_.machine.huge_pages = true;
  EXPECT_EQ(least_memory_limit(config_), 25 * kMiB);
}

TEST_F(ValidateLimits, PidsHoldTheThreads) {
  config_.machine.vcpus = 4;
  config_.machine.io_threads = 2;
  limits_.pids = 10;
  EXPECT_EQ(verdict(), "fine");
  limits_.pids = 9;
  EXPECT_EQ(verdict(),
            "limits.pids: 9 are too few for 4 vCPUs and 2 I/O threads -- choose 10 or more");
}

TEST_F(ValidateLimits, RatesNeedADisk) {
  limits_.read_bandwidth = kMiB;
  EXPECT_EQ(verdict(),
            "limits.read_bandwidth: there is no disk to limit -- leave it out, or add a [[block]]");
  config_.blocks.push_back({.path = "disk.img"});
  EXPECT_EQ(verdict(), "fine");
  limits_.write_operations = 0;
  EXPECT_EQ(verdict(), "limits.write_operations: 0 would stop the disks -- choose 1 or more");
}

TEST_F(ValidateLimits, Names) {
  for (const char* name : {"vm1", "a-b_c.d", "0"}) {
    limits_.group = name;
    EXPECT_EQ(verdict(), "fine");
  }
  for (const char* name : {"..", ".", ".hidden", "a/b", "a b", "\n"}) {
    limits_.group = name;
    EXPECT_EQ(verdict(), "limits.group: '" + std::string(name) +
                             "' is no name of a control group -- take up to 64 letters, digits, "
                             "'_', '-' and '.', the first no '.'");
  }
  limits_.group.assign(65, 'x');
  EXPECT_NE(verdict(), "fine");
}

TEST_F(ValidateLimits, Parents) {
  for (const char* parent : {"/", "/vms", "/a/b.c", "/..a"}) {
    limits_.parent = parent;
    EXPECT_EQ(verdict(), "fine");
  }
  for (const char* parent : {"vms", "/a/../b", "/a//b", "/.", "/..", "/a/"}) {
    limits_.parent = parent;
    EXPECT_EQ(verdict(), "limits.parent: '" + std::string(parent) +
                             "' is no control group -- write its path from the root of the tree, "
                             "as in /machines");
  }
}

}  // namespace
}  // namespace mote
