// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/resources.hpp"

#include <gtest/gtest.h>

#include "vmm/config/resource_json.hpp"
#include "vmm/config/resource_rules.hpp"

namespace mote {
namespace {

template <class T>
Result<T> read(std::string_view text, bool (*read)(json::Reader&, const json::Value&, T&)) {
  const json::Value value = TRY(json::parse(text));
  json::Reader reader;
  T result{};
  if (!read(reader, value, result)) return reader.error(text);
  return result;
}

/// What was refused, without its place.
template <class T>
std::string problem(std::string_view text,
                    bool (*function)(json::Reader&, const json::Value&, T&)) {
  const auto result = read(text, function);
  if (result) return "accepted";
  const std::string& message = result.error().message();
  return message.substr(0, message.rfind(" at line "));
}

TEST(Resources, ReadABootSource) {
  const auto all = read(R"({"kernel_image_path": "/k", "initrd_path": "/i", "boot_args": "a=b"})",
                        &read_boot_source);
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_EQ(*all, (KernelConfig{"/k", "/i", "a=b"}));
  const auto least = read(R"({"kernel_image_path": "/k", "initrd_path": null, "boot_args": null})",
                          &read_boot_source);
  ASSERT_TRUE(least) << least.error().message();
  EXPECT_EQ(*least, (KernelConfig{"/k", "", std::string(kDefaultBootArgs)}));
  EXPECT_EQ(problem("{}", &read_boot_source), "missing field `kernel_image_path`");
}

TEST(Resources, ReadAMachine) {
  const auto machine = read(
      R"({"vcpu_count": 2, "mem_size_mib": 256, "smt": true, "cpu_template": "None",
          "track_dirty_pages": true, "huge_pages": "2M"})",
      &read_machine);
  ASSERT_TRUE(machine) << machine.error().message();
  MachineConfig config;
  ASSERT_TRUE(change_machine(config, *machine));
  EXPECT_EQ(config.vcpus, 2U);
  EXPECT_EQ(config.memory_bytes, 256 * kMiB);
  EXPECT_TRUE(config.smt && config.track_dirty_pages && config.huge_pages);
  EXPECT_TRUE(machine->names_template);
  EXPECT_EQ(machine_json(config),
            R"({"vcpu_count":2,"mem_size_mib":256,"smt":true,"track_dirty_pages":true,)"
            R"("huge_pages":"2M"})");
  // A machine that is put anew has its defaults, a change has not.
  const auto plain = read(R"({"vcpu_count": 1, "mem_size_mib": 128})", &read_machine);
  ASSERT_TRUE(plain && change_machine(config, *plain));
  EXPECT_EQ(config, MachineConfig{});
  const auto change = read(R"({"smt": true})", &read_machine_update);
  ASSERT_TRUE(change && change_machine(config, *change));
  EXPECT_EQ(config.vcpus, 1U);
  EXPECT_TRUE(config.smt);
}

TEST(Resources, RefuseAMachineThatCannotBe) {
  EXPECT_EQ(problem(R"({"mem_size_mib": 128})", &read_machine), "missing field `vcpu_count`");
  EXPECT_EQ(problem(R"({"vcpu_count": null, "mem_size_mib": 128})", &read_machine),
            "invalid type: null, expected u8");
  EXPECT_EQ(problem(R"({"cpu_template": "T2"})", &read_machine_update),
            "Mote has no CPU template T2: mask CPUID with /cpu-config");
  EXPECT_EQ(
      problem(R"({"cpu_template": "X"})", &read_machine_update),
      "unknown variant `X`, expected one of `C3`, `T2`, `T2S`, `T2CL`, `T2A`, `V1N1`, `None`");
  EXPECT_EQ(problem(R"({"huge_pages": "Transparent"})", &read_machine_update),
            "Mote backs no memory with transparent huge pages: choose None or 2M");
  const auto change = [](const char* text) {
    MachineConfig config;
    const auto changed = change_machine(config, *read(text, &read_machine_update));
    EXPECT_EQ(config, MachineConfig{}) << "as it was";
    return changed ? "accepted" : changed.error().message();
  };
  const std::string vcpus =
      "The vCPU number is invalid! The vCPU number can only be 1 to 32, and with SMT 1 or an even "
      "number.";
  EXPECT_EQ(change(R"({"vcpu_count": 0})"), vcpus);
  EXPECT_EQ(change(R"({"vcpu_count": 33})"), vcpus);
  EXPECT_EQ(change(R"({"vcpu_count": 3, "smt": true})"), vcpus);
  const std::string memory =
      "The memory size (MiB) is either 0, or not a multiple of the configured page size.";
  EXPECT_EQ(change(R"({"mem_size_mib": 0})"), memory);
  EXPECT_EQ(change(R"({"mem_size_mib": 3, "huge_pages": "2M"})"), memory);
  EXPECT_EQ(change(R"({"mem_size_mib": 18446744073709551615})"),
            "The memory size (MiB) is more than the 4294966272 that an x86-64 guest can address.");
}

TEST(Resources, ReadADrive) {
  const auto drive = read(
      R"({"drive_id": "rootfs", "is_root_device": true, "path_on_host": "/d", "partuuid": "0eaa",
          "is_read_only": true, "cache_type": "Writeback", "io_engine": "Sync", "discard": false,
          "rate_limiter": {"bandwidth": {"size": 10, "refill_time": 20, "one_time_burst": 30, "x": 1},
                           "ops": {"size": 0, "refill_time": 0}}, "socket": null})",
      &read_drive);
  ASSERT_TRUE(drive) << drive.error().message();
  BlockConfig expected{.id = "rootfs", .path = "/d", .read_only = true, .root = true};
  expected.partuuid = "0eaa";
  expected.bandwidth = RateLimit{10, 20, 30};
  EXPECT_EQ(*drive, expected);
  for (const char* rate : {"null", "{}", R"({"bandwidth": null, "ops": null})"}) {
    const auto least = read(
        R"({"drive_id": "a", "is_root_device": false, "rate_limiter": )" + std::string(rate) + "}",
        &read_drive);
    ASSERT_TRUE(least) << least.error().message();
    EXPECT_EQ(*least, (BlockConfig{.id = "a", .cache = BlockCache::kUnsafe}));
  }
  EXPECT_EQ(problem(R"({"socket": "/s"})", &read_drive),
            "Mote has no vhost-user drives: name a file or a block device");
  EXPECT_EQ(problem(R"({"cache_type": "direct"})", &read_drive),
            "unknown variant `direct`, expected `Unsafe` or `Writeback`");
}

TEST(Resources, ReadANetworkInterface) {
  const auto net = read(
      R"({"iface_id": "eth0", "host_dev_name": "tap0", "guest_mac": "02:00:5e:00:53:01", "mtu": 1400,
          "rx_rate_limiter": {"bandwidth": {"size": 1, "refill_time": 99999999999}},
          "tx_rate_limiter": {"ops": {"size": 2, "refill_time": 3}}})",
      &read_net);
  ASSERT_TRUE(net) << net.error().message();
  NetConfig expected{.id = "eth0", .tap = "tap0"};
  expected.mac = MacAddress{0x02, 0x00, 0x5e, 0x00, 0x53, 0x01};
  expected.mtu = 1400;
  expected.rx_bandwidth = RateLimit{1, 0xffffffff, 0};
  expected.tx_frames = RateLimit{2, 3, 0};
  EXPECT_EQ(*net, expected);
  EXPECT_TRUE(read(R"({"iface_id": "1", "host_dev_name": "t", "guest_mac": null})", &read_net));
  EXPECT_EQ(problem(R"({"mtu": 67})", &read_net),
            "an mtu of 67 is out of range: choose 68 to 65521");
  EXPECT_NE(problem(R"({"guest_mac": "no"})", &read_net), "accepted");
}

TEST(Resources, ReadChangesOfLimits) {
  const auto drive =
      read(R"({"drive_id": "a", "rate_limiter": {"bandwidth": {"size": 0, "refill_time": 0}}})",
           &read_drive_update);
  ASSERT_TRUE(drive) << drive.error().message();
  EXPECT_EQ(drive->path, std::nullopt);
  std::optional<RateLimit> bandwidth = RateLimit{1, 1, 1};
  std::optional<RateLimit> operations = RateLimit{2, 2, 2};
  change_rate(drive->rate, bandwidth, operations);
  EXPECT_EQ(bandwidth, std::nullopt) << "a limit of nothing is none";
  EXPECT_EQ(operations, (RateLimit{2, 2, 2})) << "what is not named stays";
  const auto net =
      read(R"({"iface_id": "1", "tx_rate_limiter": {"ops": {"size": 5, "refill_time": 6}}})",
           &read_net_update);
  ASSERT_TRUE(net) << net.error().message();
  EXPECT_EQ(net->rx, RateUpdate{});
  change_rate(net->tx, bandwidth, operations);
  EXPECT_EQ(operations, (RateLimit{5, 6, 0}));
}

TEST(Resources, ReadWhereTheConsoleGoes) {
  const auto serial = read(R"({"serial_out_path": "/s", "rate_limiter": null})", &read_serial);
  ASSERT_TRUE(serial) << serial.error().message();
  EXPECT_EQ(*serial, (SerialConfig{SerialMode::kFile, "/s"}));
  EXPECT_NE(problem(R"({"rate_limiter": {}})", &read_serial), "accepted");
}

TEST(Resources, ReadBitsOfCpuid) {
  const auto cpuid = read(
      R"({"kvm_capabilities": [], "msr_modifiers": [], "cpuid_modifiers": [
          {"leaf": "0x80000001", "subleaf": "0x0", "flags": 0, "modifiers": [
            {"register": "ecx", "bitmap": "0bxx1_0"}]},
          {"leaf": 7, "subleaf": "1", "flags": 1, "modifiers": []}]})",
      &read_cpu_config);
  ASSERT_TRUE(cpuid) << cpuid.error().message();
  ASSERT_EQ(cpuid->size(), 1U);
  EXPECT_EQ((*cpuid)[0], (CpuidMask{0x80000001, 0, CpuidMask::Register::kEcx, 1, 2}));
  const auto bitmap = [](const std::string& text) {
    return problem(R"({"cpuid_modifiers": [{"leaf": 1, "subleaf": 0, "flags": 0, "modifiers": [)"
                   R"({"register": "eax", "bitmap": ")" +
                       text + "\"}]}]}",
                   &read_cpu_config);
  };
  EXPECT_EQ(bitmap("0b" + std::string(32, '1')), "accepted");
  for (const std::string& wrong : {std::string("0b"), std::string("11"), std::string("0b2"),
                                   std::string(""), "0b" + std::string(33, 'x')}) {
    EXPECT_NE(bitmap(wrong), "accepted") << wrong;
  }
  EXPECT_EQ(problem(R"({"msr_modifiers": [{}]})", &read_cpu_config),
            "Mote changes no MSRs: leave the list empty");
  EXPECT_EQ(problem(R"({"kvm_capabilities": ["!1"]})", &read_cpu_config),
            "Mote changes no capabilities of KVM: leave the list empty");
}

TEST(Resources, ReadLoggerAndMetrics) {
  const auto logger = read(
      R"({"log_path": "/l", "level": "WARNING", "show_level": true, "show_log_origin": false,
          "module": "api"})",
      &read_logger);
  ASSERT_TRUE(logger) << logger.error().message();
  EXPECT_EQ(logger->path, "/l");
  EXPECT_EQ(logger->level, LogLevel::kWarn);
  EXPECT_EQ(logger->show_level, true);
  EXPECT_EQ(problem(R"({"level": "loud"})", &read_logger),
            "unknown variant `loud`, expected one of `Off`, `Trace`, `Debug`, `Info`, `Warn`, "
            "`Error`");
  const auto metrics =
      read(R"({"metrics_path": "/m", "emit_id": true, "properties": {"a": "b"}, "later": 1})",
           &read_metrics);
  ASSERT_TRUE(metrics) << metrics.error().message();
  EXPECT_EQ(metrics->path, "/m");
  EXPECT_TRUE(metrics->emit_id);
  ASSERT_EQ(metrics->properties.size(), 1U);
  EXPECT_EQ(metrics->properties[0].second, "b");
}

}  // namespace
}  // namespace mote
