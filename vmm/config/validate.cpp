// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/validate.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <string>

#include "core/interface_name.hpp"
#include "core/text.hpp"
#include "vmm/config/size.hpp"
#include "vmm/config/validate_limits.hpp"

namespace mote {
namespace {

/// What physical addresses of 52 bits can hold beside the 1 GiB hole for devices [SDM 3A 4.1.4].
constexpr u64 kMaxMemory = (u64{1} << 52) - kGiB;

/// The same where a PCI bus has 256 GiB behind RAM, aligned to that.
constexpr u64 kMaxMemoryWithPci = (u64{1} << 52) - 257 * kGiB;

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

Result<void> validate_pci(const VmConfig& config) {
  const std::size_t functions = pci_function_count(config);
  if (functions > kMaxPciFunctions) {
    return Error::config(
        format("vfio: %zu devices are too many for the PCI bus -- it has places "
               "for %zu",
               functions, kMaxPciFunctions));
  }
  if (!needs_pci(config) || config.machine.memory_bytes <= kMaxMemoryWithPci) return {};
  return Error::config(format("machine.memory: %s leave no addresses for a PCI bus",
                              print_size(config.machine.memory_bytes).c_str()));
}

bool is_id(std::string_view text) {
  return text.size() <= 20 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

Result<void> validate_id(const std::string& id, const std::string& name) {
  if (is_id(id)) return {};
  return Error::config(name + ".id: '" + id.substr(0, 64) +
                       "' is no id -- take up to 20 letters, digits, '_' and '-'");
}

/// What disks and network interfaces have in common.
Result<void> validate_device(const std::string& id, u32 queue_size, const std::string& name) {
  TRY(validate_id(id, name));
  if (!std::has_single_bit(queue_size) || queue_size < kMinQueueSize ||
      queue_size > kMaxQueueSize) {
    return Error::config(name + format(".queue_size: %u is no power of two from %u to %u",
                                       queue_size, kMinQueueSize, kMaxQueueSize));
  }
  return {};
}

Result<void> validate_block(const BlockConfig& block, const std::string& name) {
  if (block.path.empty()) {
    return Error::config(name + ": no path -- name a raw image or a block device");
  }
  TRY(validate_device(block.id, block.queue_size, name));
  if (block.queues > kMaxBlockQueues) {
    return Error::config(
        name + format(".queues: %u are too many -- choose 1 to %u", block.queues, kMaxBlockQueues));
  }
  return {};
}

Result<void> validate_blocks(const std::vector<BlockConfig>& blocks) {
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

Result<void> validate_fds(const std::vector<int>& fds, u32 queues, const std::string& name) {
  if (fds.size() > kMaxNetQueues) {
    return Error::config(
        name + format(".fds: %zu are too many -- choose 1 to %u", fds.size(), kMaxNetQueues));
  }
  if (queues != 0 && queues != fds.size()) {
    return Error::config(name + format(".queues: %u, but %zu descriptors are handed over -- leave "
                                       "queues out: each descriptor is one",
                                       queues, fds.size()));
  }
  for (std::size_t i = 0; i < fds.size(); ++i) {
    if (fds[i] <= STDERR_FILENO) {
      return Error::config(name + format(".fds: %d is a standard stream -- hand the tap over as 3 "
                                         "or above",
                                         fds[i]));
    }
    if (std::count(fds.begin(), fds.end(), fds[i]) > 1) {
      return Error::config(name + format(".fds: %d is there twice -- each descriptor is one queue "
                                         "pair",
                                         fds[i]));
    }
  }
  return {};
}

/// Where the frames go.
Result<void> validate_port(const NetConfig& net, const std::string& name) {
  if (net.tap.empty() && net.fds.empty()) {
    return Error::config(name + ": no tap -- name one, or hand one over with fds");
  }
  if (!net.fds.empty() && !net.tap.empty()) {
    return Error::config(name + ": a tap and fds -- leave one of them out");
  }
  if (!net.fds.empty()) return validate_fds(net.fds, net.queues, name);
  auto tap = check_interface_name(net.tap);
  if (!tap) return std::move(tap).error().within(name + ".tap");
  return {};
}

Result<void> validate_net(const NetConfig& net, const std::string& name) {
  TRY(validate_device(net.id, net.queue_size, name));
  if (net.queues > kMaxNetQueues) {
    return Error::config(
        name + format(".queues: %u are too many -- choose 1 to %u", net.queues, kMaxNetQueues));
  }
  if (net.mac && !is_unicast(*net.mac)) {
    return Error::config(name + ".mac: " + print_mac(*net.mac) +
                         " is no address of one interface -- choose one whose first byte is even, "
                         "as in 02:00:5e:00:53:01");
  }
  if (net.mtu != 0 && (net.mtu < kMinMtu || net.mtu > kMaxMtu)) {
    return Error::config(
        name + format(".mtu: %u is out of range -- choose %u to %u", net.mtu, kMinMtu, kMaxMtu));
  }
  return validate_port(net, name);
}

/// What no two interfaces may share. `earlier` and `later` are their positions.
Result<void> validate_pair(const std::vector<NetConfig>& nets, std::size_t earlier,
                           std::size_t later) {
  const NetConfig& a = nets[earlier];
  const NetConfig& b = nets[later];
  const auto shared = [&](const char* key, const std::string& value, const char* remedy) {
    return Error::config(format("net[%zu].%s: net[%zu] has it as well: '", later, key, earlier) +
                         value + "' -- " + remedy);
  };
  if (net_id(a, earlier) == net_id(b, later)) {
    return shared("id", net_id(b, later), "choose another, or leave it out");
  }
  if (!b.tap.empty() && a.tap == b.tap) {
    return shared("tap", b.tap, "make one more: ip tuntap add dev NAME mode tap");
  }
  if (b.mac && a.mac == b.mac) {
    return shared("mac", print_mac(*b.mac), "choose another, or leave it out");
  }
  for (const int fd : b.fds) {
    if (std::find(a.fds.begin(), a.fds.end(), fd) != a.fds.end()) {
      return shared("fds", std::to_string(fd), "each descriptor is one queue pair of one of them");
    }
  }
  return {};
}

Result<void> validate_nets(const std::vector<NetConfig>& nets) {
  for (std::size_t i = 0; i < nets.size(); ++i) {
    TRY(validate_net(nets[i], format("net[%zu]", i)));
    for (std::size_t j = 0; j < i; ++j) TRY(validate_pair(nets, j, i));
  }
  return {};
}

Result<void> validate_vfios(const std::vector<VfioConfig>& vfios) {
  for (std::size_t i = 0; i < vfios.size(); ++i) {
    if (!vfios[i].address) {
      return Error::config(format("vfio[%zu]: no address -- 'mote vfio list' lists functions", i));
    }
    TRY(validate_id(vfios[i].id, format("vfio[%zu]", i)));
    for (std::size_t j = 0; j < i; ++j) {
      if (vfio_id(vfios[i], i) == vfio_id(vfios[j], j)) {
        return Error::config(format("vfio[%zu].id: vfio[%zu] has this id as well: '", i, j) +
                             vfio_id(vfios[i], i) + "'");
      }
      if (vfios[i].address != vfios[j].address) continue;
      return Error::config(format("vfio[%zu].address: vfio[%zu] has it as well: '", i, j) +
                           print_pci_address(*vfios[i].address) + "'");
    }
  }
  return {};
}

/// Each device has an interrupt of its own.
Result<void> validate_device_count(std::size_t disks, std::size_t nets) {
  if (disks + nets <= kMaxVirtioDevices) return {};
  const std::string what = nets == 0    ? format("block: %zu disks", disks)
                           : disks == 0 ? format("net: %zu interfaces", nets)
                                        : format("block and net: %zu devices", disks + nets);
  return Error::config(
      what + format(" are too many -- the machine has interrupts for %zu", kMaxVirtioDevices));
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

Result<void> validate_sandbox(const SandboxConfig& sandbox) {
  for (const auto& [name, id] : {std::pair("uid", sandbox.uid), std::pair("gid", sandbox.gid)}) {
    if (!id) continue;
    if (*id < kMinSandboxId || *id > kMaxSandboxId) {
      return Error::config(
          format("sandbox.%s: %u is no number that a VM may run as -- choose %u to "
                 "%u, or leave it out",
                 name, *id, kMinSandboxId, kMaxSandboxId));
    }
    if (!sandbox.enabled) {
      return Error::config(
          format("sandbox.%s: without the sandbox a VM runs as the user that "
                 "starts it -- leave it out",
                 name));
    }
  }
  return {};
}

}  // namespace

Result<void> validate(const VmConfig& config) {
  TRY(validate_kernel(config.kernel));
  TRY(validate_machine(config.machine));
  TRY(validate_pci(config));
  TRY(validate_device_count(config.blocks.size(), config.nets.size()));
  TRY(validate_blocks(config.blocks));
  TRY(validate_nets(config.nets));
  TRY(validate_vfios(config.vfios));
  TRY(validate_limits(config));
  TRY(validate_serial(config.serial));
  return validate_sandbox(config.sandbox);
}

}  // namespace mote
