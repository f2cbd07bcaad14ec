// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/validate.hpp"

#include <algorithm>
#include <bit>

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
  if (machine.io_threads < 1 || machine.io_threads > kMaxIoThreads) {
    return Error::config(format("machine.io_threads: %u is out of range -- choose 1 to %u",
                                machine.io_threads, kMaxIoThreads));
  }
  if (machine.announce == Announce::kAcpi && !machine.acpi) {
    return Error::config(
        "machine.announce: 'acpi' needs the tables that machine.acpi = false leaves out");
  }
  if (machine.poll_us > kMaxPollUs) {
    return Error::config(format("machine.poll_us: %u is too long -- choose 0 (off) to %u",
                                machine.poll_us, kMaxPollUs));
  }
  return {};
}

bool is_id(std::string_view text) {
  return text.size() <= 20 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

Result<void> validate_block(const BlockConfig& block, const std::string& name) {
  if (block.path.empty()) {
    return Error::config(name + ": no path -- name a raw image or a block device");
  }
  if (!is_id(block.id)) {
    return Error::config(name + ".id: '" + block.id.substr(0, 64) +
                         "' is no id -- take up to 20 letters, digits, '_' and '-'");
  }
  if (!std::has_single_bit(block.queue_size) || block.queue_size < kMinQueueSize ||
      block.queue_size > kMaxQueueSize) {
    return Error::config(name + format(".queue_size: %u is no power of two from %u to %u",
                                       block.queue_size, kMinQueueSize, kMaxQueueSize));
  }
  if (block.queues > kMaxBlockQueues) {
    return Error::config(
        name + format(".queues: %u are too many -- choose 1 to %u", block.queues, kMaxBlockQueues));
  }
  return {};
}

Result<void> validate_blocks(const std::vector<BlockConfig>& blocks) {
  if (blocks.size() > kMaxBlocks) {
    return Error::config(
        format("block: %zu disks are too many -- the machine has interrupts for %zu", blocks.size(),
               kMaxBlocks));
  }
  std::size_t roots = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    TRY(validate_block(blocks[i], format("block[%zu]", i)));
    roots += blocks[i].root ? 1 : 0;
    for (std::size_t j = 0; j < i; ++j) {
      if (blocks[i].id.empty() || blocks[i].id != blocks[j].id) continue;
      return Error::config(format("block[%zu].id: block[%zu] has this id as well: '", i, j) +
                           blocks[i].id + "'");
    }
  }
  if (roots > 1) return Error::config("block: more than one disk has root = true");
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
  TRY(validate_blocks(config.blocks));
  return validate_serial(config.serial);
}

}  // namespace mote
