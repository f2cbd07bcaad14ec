// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/validate_limits.hpp"

#include <algorithm>
#include <string>

#include "core/text.hpp"
#include "vmm/config/limit_option.hpp"
#include "vmm/config/size.hpp"

namespace mote {
namespace {

/// Mote, its stacks and rings, and what the kernel keeps of a VM and of each vCPU.
constexpr u64 kOwnMemory = 16 * kMiB;
constexpr u64 kVcpuMemory = kMiB / 2;
/// One part of RAM in 512 for each of the host's and KVM's page tables, twice for the case that
/// the guest's memory is scattered.
constexpr u64 kPageTableShare = 128;
/// The main thread or its like, and what the ring's kernel threads take to get on.
constexpr u32 kOwnThreads = 4;
constexpr std::size_t kMaxName = 64;

Error out_of_range(const char* key, u32 value, u32 least, u32 most) {
  return Error::config(
      format("limits.%s: %u is out of range -- choose %u to %u", key, value, least, most));
}

bool is_name(const std::string& name) {
  return name.size() <= kMaxName && !name.starts_with('.') &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

/// "/", "/a/b": absolute, without "." and ".." and empty parts.
bool is_group_path(const std::string& path) {
  if (path == "/") return true;
  return path.starts_with('/') && (path + "/").find("//") == std::string::npos &&
         (path + "/").find("/./") == std::string::npos &&
         (path + "/").find("/../") == std::string::npos;
}

Result<void> validate_place(const LimitsConfig& limits) {
  if (!is_name(limits.group)) {
    return Error::config("limits.group: '" + limits.group.substr(0, kMaxName) +
                         "' is no name of a control group -- take up to 64 letters, digits, '_', "
                         "'-' and '.', the first no '.'");
  }
  if (!limits.parent.empty() && !is_group_path(limits.parent)) {
    return Error::config("limits.parent: '" + limits.parent.substr(0, kMaxName) +
                         "' is no control group -- write its path from the root of the tree, as "
                         "in /machines");
  }
  return {};
}

struct Rate {
  const char* key;
  bool given;
  bool is_zero;
};

Result<void> validate_rates(const LimitsConfig& limits, bool has_disk) {
  const Rate rates[] = {
      {"read_bandwidth", limits.read_bandwidth.has_value(), limits.read_bandwidth == 0},
      {"write_bandwidth", limits.write_bandwidth.has_value(), limits.write_bandwidth == 0},
      {"read_operations", limits.read_operations.has_value(), limits.read_operations == 0},
      {"write_operations", limits.write_operations.has_value(), limits.write_operations == 0},
  };
  for (const Rate& rate : rates) {
    const std::string key = std::string("limits.") + rate.key;
    if (rate.is_zero) return Error::config(key + ": 0 would stop the disks -- choose 1 or more");
    if (rate.given && !has_disk) {
      return Error::config(key + ": there is no disk to limit -- leave it out, or add a [[block]]");
    }
  }
  return {};
}

}  // namespace

u64 least_memory_limit(const VmConfig& config) {
  const MachineConfig& machine = config.machine;
  const u64 ram = machine.huge_pages ? 0 : machine.memory_bytes;
  const u64 least =
      ram + machine.memory_bytes / kPageTableShare + kOwnMemory + u64{machine.vcpus} * kVcpuMemory;
  return (least + kMiB - 1) / kMiB * kMiB;
}

u32 least_pids_limit(const VmConfig& config) {
  return config.machine.vcpus + config.machine.io_threads + kOwnThreads;
}

Result<void> validate_limits(const VmConfig& config) {
  const LimitsConfig& limits = config.limits;
  if (limits.cpu && (*limits.cpu < kMinCpuLimit || *limits.cpu > kMaxCpuLimit)) {
    return Error::config("limits.cpu: " + print_cpus(*limits.cpu) + " is out of range -- choose " +
                         print_cpus(kMinCpuLimit) + " to " + print_cpus(kMaxCpuLimit));
  }
  if (limits.cpu_weight && (*limits.cpu_weight < 1 || *limits.cpu_weight > kMaxCpuWeight)) {
    return out_of_range("cpu_weight", *limits.cpu_weight, 1, kMaxCpuWeight);
  }
  const u64 least_memory = least_memory_limit(config);
  if (limits.memory_bytes && *limits.memory_bytes < least_memory) {
    return Error::config(
        "limits.memory: " + print_size(*limits.memory_bytes) +
        " is too little for machine.memory = " + print_size(config.machine.memory_bytes) +
        ": the kernel would end the VM when the guest uses what it has -- choose " +
        print_size(least_memory) + " or more, or less machine.memory");
  }
  const u32 least_pids = least_pids_limit(config);
  if (limits.pids && *limits.pids < least_pids) {
    return Error::config(
        format("limits.pids: %u are too few for %u vCPUs and %u I/O threads -- choose %u or more",
               *limits.pids, config.machine.vcpus, config.machine.io_threads, least_pids));
  }
  TRY(validate_rates(limits, !config.blocks.empty()));
  return validate_place(limits);
}

}  // namespace mote
