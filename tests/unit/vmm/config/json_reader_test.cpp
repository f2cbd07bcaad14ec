// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/json_reader.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace mote {
namespace {

std::string problem(std::string_view text) {
  const auto config = read_json(text, "vm.json");
  return config ? "accepted" : config.error().message();
}

TEST(JsonReader, ReadsWhatAContainerRuntimeWrites) {
  const auto config = read_json(R"({
    "boot-source": {"kernel_image_path": "/vmlinux", "boot_args": "quiet"},
    "drives": [{"drive_id": "data", "path_on_host": "/d", "is_root_device": false},
               {"drive_id": "rootfs", "path_on_host": "/r", "is_root_device": true}],
    "machine-config": {"vcpu_count": 2, "mem_size_mib": 256},
    "network-interfaces": [{"iface_id": "eth0", "host_dev_name": "tap0", "rx_rate_limiter": {}}],
    "vfio-devices": [{"id": "nic", "address": "0000:01:10.0"}],
    "logger": {"log_path": "/l", "level": "Debug"}, "metrics": {"metrics_path": "/m"},
    "cpu-config": null, "vsock": null, "balloon": null, "entropy": null, "pmem": [],
    "mmds-config": null, "unknown": {"to": "all"}})",
                                "vm.json");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->vm.kernel, (KernelConfig{"/vmlinux", "", "quiet"}));
  ASSERT_EQ(config->vm.blocks.size(), 2U);
  EXPECT_EQ(config->vm.blocks[0].id, "rootfs") << "the root comes first";
  EXPECT_EQ(config->vm.machine.vcpus, 2U);
  ASSERT_EQ(config->vm.nets.size(), 1U);
  EXPECT_EQ(config->vm.nets[0].tap, "tap0");
  EXPECT_EQ(config->vm.vfios, (std::vector<VfioConfig>{{PciAddress{0, 1, 0x10, 0}, "nic"}}));
  EXPECT_EQ(config->logger->level, LogLevel::kDebug);
  EXPECT_EQ(config->metrics->path, "/m");
}

TEST(JsonReader, NeedsNoMoreThanAKernel) {
  const auto config = read_json(R"({"boot-source": {"kernel_image_path": "k"}})", "vm.json");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->vm.machine, MachineConfig{});
  EXPECT_FALSE(config->logger || config->metrics);
}

TEST(JsonReader, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(problem("[kernel]"), "vm.json: expected value at line 1 column 2");
  EXPECT_EQ(problem("{}"), "vm.json: missing field `boot-source` at line 1 column 2");
  EXPECT_EQ(problem("{\"boot-source\":\n{\"kernel\": \"x\"}}"),
            "vm.json: unknown field `kernel`, expected one of `kernel_image_path`, `initrd_path`, "
            "`boot_args` at line 2 column 9");
  const auto with = [](const std::string& more) {
    return problem(R"({"boot-source": {"kernel_image_path": "k"}, )" + more + "}");
  };
  EXPECT_EQ(with(R"("vsock": {"guest_cid": 3})"),
            "vm.json: Mote has no vsock device: connect guest and host by a network interface at "
            "line 1 column 69");
  EXPECT_EQ(with(R"("drives": [{"drive_id": "a", "is_root_device": true}])"),
            "vm.json: drive 'a' has no path_on_host");
  EXPECT_EQ(
      with(R"("vfio-devices": [{"id": "a", "address": "1:2.3"}, {"id": "b", "address": "1:2.3"}])"),
      "vm.json: device 'a' has 0000:01:02.3 already");
  EXPECT_EQ(with(R"("machine-config": {"vcpu_count": 1, "mem_size_mib": 0})"),
            "vm.json: The memory size (MiB) is either 0, or not a multiple of the configured page "
            "size.");
}

TEST(JsonReader, ReadsACpuConfigFromItsOwnFile) {
  const std::string path = testing::TempDir() + "mote-cpu.json";
  const std::string text =
      R"({"boot-source": {"kernel_image_path": "k"}, "cpu-config": ")" + path + "\"}";
  std::ofstream(path) << R"({"cpuid_modifiers": [{"leaf": "0x1", "subleaf": "0x0", "flags": 0,
      "modifiers": [{"register": "ecx", "bitmap": "0b0"}]}]})";
  const auto config = read_json(text, "vm.json");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->vm.cpuid.size(), 1U);
  std::ofstream(path) << "{\n";
  EXPECT_NE(problem(text).find("EOF while parsing an object at line 2"), std::string::npos)
      << problem(text);
  std::remove(path.c_str());
  EXPECT_NE(problem(text).find("No such file or directory"), std::string::npos);
}

TEST(JsonReader, ReadsFiles) {
  const std::string path = testing::TempDir() + "mote-vm.json";
  std::ofstream(path) << R"({"boot-source": {"kernel_image_path": "k"}})";
  EXPECT_TRUE(read_json_file(path));
  std::ofstream(path) << std::string(kMiB + 1, ' ');
  EXPECT_FALSE(read_json_file(path));
  std::remove(path.c_str());
  EXPECT_FALSE(read_json_file(path));
}

}  // namespace
}  // namespace mote
