// SPDX-License-Identifier: Apache-2.0
// Behaviour of the rules for every configuration.
#include "vmm/config/validate.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

class Validate : public testing::Test {
 protected:
  Validate() { config_.kernel.path = "vmlinux"; }

  std::string verdict() const {
    const auto result = validate(config_);
    if (!result) {
      EXPECT_EQ(result.error().fault(), Fault::kConfig);
    }
    return result ? "fine" : result.error().message();
  }

  VmConfig config_;
};

TEST_F(Validate, AcceptsAKernelAndDefaults) {
  EXPECT_EQ(verdict(), "fine");
}

TEST_F(Validate, WantsAKernel) {
  config_.kernel.path.clear();
  EXPECT_EQ(
      verdict(),
      "no kernel to boot -- pass --kernel FILE, or set path in [kernel] of the VM's TOML file");
}

TEST_F(Validate, LimitsTheCommandLine) {
  config_.kernel.cmdline.assign(2048, 'x');
  EXPECT_EQ(verdict(), "fine");
  config_.kernel.cmdline.assign(2049, 'x');
  EXPECT_EQ(verdict(), "kernel.cmdline: 2049 bytes are more than the 2048 that fit");
}

TEST_F(Validate, LimitsTheNumberOfVcpus) {
  config_.machine.vcpus = 32;
  EXPECT_EQ(verdict(), "fine");
  config_.machine.vcpus = 33;
  EXPECT_EQ(verdict(), "machine.vcpus: 33 is out of range -- choose 1 to 32");
  config_.machine.vcpus = 0;
  EXPECT_EQ(verdict(), "machine.vcpus: 0 is out of range -- choose 1 to 32");
}

TEST_F(Validate, WantsOneMebibyteOrMore) {
  config_.machine.memory_bytes = kMiB;
  EXPECT_EQ(verdict(), "fine");
  config_.machine.memory_bytes = kMiB - kPageSize;
  EXPECT_EQ(verdict(), "machine.memory: 1020KiB is too little -- choose 1MiB or more");
}

TEST_F(Validate, WantsWholePages) {
  config_.machine.memory_bytes = kMiB + kKiB;
  EXPECT_EQ(verdict(), "machine.memory: 1025KiB is no multiple of 4KiB");
}

TEST_F(Validate, WantsWholeHugePages) {
  config_.machine.huge_pages = true;
  config_.machine.memory_bytes = 4 * kMiB;
  EXPECT_EQ(verdict(), "fine");
  config_.machine.memory_bytes = 5 * kMiB;
  EXPECT_EQ(verdict(), "machine.memory: 5MiB is no multiple of 2MiB, which huge_pages needs");
}

TEST_F(Validate, RefusesMemoryThatNoGuestCanAddress) {
  config_.machine.memory_bytes = u64{1} << 52;
  EXPECT_EQ(verdict(), "machine.memory: 4096TiB is more than an x86-64 guest can address");
}

TEST_F(Validate, WantsAPathForAFile) {
  config_.serial.mode = SerialMode::kFile;
  EXPECT_EQ(verdict(), "serial.mode: 'file' needs the path of the file -- set serial.path");
  config_.serial.path = "console.log";
  EXPECT_EQ(verdict(), "fine");
}

TEST_F(Validate, RefusesAPathWithoutAFile) {
  config_.serial.path = "console.log";
  EXPECT_EQ(verdict(), "serial.path: only serial.mode = \"file\" has a path");
}

}  // namespace
}  // namespace mote
