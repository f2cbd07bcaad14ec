// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/validate.hpp"

#include "core/text.hpp"
#include "vmm/config/size.hpp"

namespace mote {
namespace {

/// What physical addresses of 52 bits can hold beside the 1 GiB hole for devices [SDM 3A 4.1.4].
constexpr u64 kMaxMemory = (u64{1} << 52) - kGiB;

Result<void> validate_kernel(const KernelConfig& kernel) {
  if (kernel.path.empty()) {
    return Error::config(
        "no kernel to boot -- pass --kernel FILE, or set path in [kernel] of the VM's TOML file");
  }
  if (kernel.cmdline.size() > kMaxCmdline) {
    return Error::config(format("kernel.cmdline: %zu bytes are more than the %zu that fit",
                                kernel.cmdline.size(), kMaxCmdline));
  }
  return {};
}

Result<void> validate_machine(const MachineConfig& machine) {
  if (machine.vcpus < 1 || machine.vcpus > kMaxVcpus) {
    return Error::config(
        format("machine.vcpus: %u is out of range -- choose 1 to %u", machine.vcpus, kMaxVcpus));
  }
  const std::string memory = print_size(machine.memory_bytes);
  if (machine.memory_bytes < kMinMemory) {
    return Error::config(format("machine.memory: %s is too little -- choose %s or more",
                                memory.c_str(), print_size(kMinMemory).c_str()));
  }
  if (machine.memory_bytes > kMaxMemory) {
    return Error::config(
        format("machine.memory: %s is more than an x86-64 guest can address", memory.c_str()));
  }
  if (machine.huge_pages && machine.memory_bytes % kHugePageSize != 0) {
    return Error::config(format("machine.memory: %s is no multiple of 2MiB, which huge_pages needs",
                                memory.c_str()));
  }
  if (machine.memory_bytes % kPageSize != 0) {
    return Error::config(format("machine.memory: %s is no multiple of 4KiB", memory.c_str()));
  }
  return {};
}

Result<void> validate_serial(const SerialConfig& serial) {
  if (serial.mode == SerialMode::kFile && serial.path.empty()) {
    return Error::config("serial.mode: 'file' needs the path of the file -- set serial.path");
  }
  if (serial.mode != SerialMode::kFile && !serial.path.empty()) {
    return Error::config("serial.path: only serial.mode = \"file\" has a path");
  }
  return {};
}

}  // namespace

Result<void> validate(const VmConfig& config) {
  TRY(validate_kernel(config.kernel));
  TRY(validate_machine(config.machine));
  return validate_serial(config.serial);
}

}  // namespace mote
