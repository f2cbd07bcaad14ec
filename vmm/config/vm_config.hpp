// SPDX-License-Identifier: Apache-2.0
// VmConfig: what a VM is made of, as plain structs that TOML, the command line and the API all
// fill.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/mac_address.hpp"
#include "core/pci_address.hpp"
#include "core/types.hpp"

namespace mote {

/// Limits that every source of configuration is checked against (`validate`).
inline constexpr u32 kMaxVcpus = 32;
inline constexpr u64 kMinMemory = 1 * kMiB;
inline constexpr std::size_t kMaxCmdline = 2048;

inline constexpr u32 kMaxIoThreads = 8;
inline constexpr u32 kMaxPollUs = 1000;
inline constexpr std::size_t kMaxVirtioDevices = 17;  ///< as many as there are pins for them
/// Places on the PCI bus, behind the host bridge.
inline constexpr std::size_t kMaxPciFunctions = 31;
inline constexpr u32 kMaxBlockQueues = 16;
inline constexpr u32 kMaxNetQueues = 8;  ///< pairs
inline constexpr u32 kMinMtu = 68;       ///< [Virtio 1.2 5.1.4.1]
inline constexpr u32 kMaxMtu = 65521;    ///< what a tap takes
/// The least that holds a disk's request in three descriptors and a power of two.
inline constexpr u32 kMinQueueSize = 4;
inline constexpr u32 kMaxQueueSize = 1024;
inline constexpr u32 kMinCpuLimit = 10;         ///< thousandths; what the kernel takes
inline constexpr u32 kMaxCpuLimit = 1'000'000;  ///< thousandths
inline constexpr u32 kMaxCpuWeight = 10'000;

inline constexpr u32 kMinSandboxId = 1;  ///< users and groups of a VM; 0 is root
inline constexpr u32 kMaxSandboxId = 4294967294;

struct KernelConfig {
  std::string path;     ///< ELF with a PVH note, ELF by the 64-bit Linux boot protocol, or bzImage
  std::string initrd;   ///< empty: none
  std::string cmdline;  ///< at most kMaxCmdline bytes with what Mote adds
  bool operator==(const KernelConfig&) const = default;
};

/// How a guest learns where its virtio devices are.
enum class Announce {
  kAuto,     ///< by ACPI when the kernel is a Linux and has ACPI, else by the command line
  kCmdline,  ///< by virtio_mmio.device= words
  kAcpi,     ///< by the SSDT
};

/// How a guest reaches a virtio device.
enum class Transport {
  kMmio,  ///< registers at a fixed address, an interrupt pin
  kPci,   ///< a function on the PCI bus, MSI-X
};

struct MachineConfig {
  u32 vcpus = 1;
  u64 memory_bytes = 128 * kMiB;        ///< a multiple of 4 KiB (2 MiB with huge pages)
  bool huge_pages = false;              ///< back guest RAM with 2 MiB pages of the host's pool
  bool legacy = true;                   ///< CMOS/RTC, PIC pair and PIT
  bool acpi = true;                     ///< ACPI tables (the MP table is there in any case)
  u32 io_threads = 1;                   ///< threads that serve the devices' queues
  u32 poll_us = 30;                     ///< how long such a thread looks for work before it sleeps
  Announce announce = Announce::kAuto;  ///< of those by mmio
  Transport transport = Transport::kMmio;  ///< of devices that do not say
  bool registered_buffers = false;         ///< pin guest RAM for the rings that serve disks
  bool smt = false;                ///< what a client of the API said; the guest is told no siblings
  bool track_dirty_pages = false;  ///< likewise; nobody asks for dirty pages yet
  bool operator==(const MachineConfig&) const = default;
};

/// What a guest's "written" means on the host.
enum class BlockCache {
  kWriteback,  ///< through the page cache; a flush reaches the disk
  kUnsafe,     ///< through the page cache; a flush does nothing
  kDirect,     ///< past the page cache (O_DIRECT); a flush reaches the disk
};

/// A token bucket: `size` tokens come back in `refill_ms`; `burst` more are there once.
struct RateLimit {
  u64 size = 0;
  u32 refill_ms = 1000;
  u64 burst = 0;
  bool operator==(const RateLimit&) const = default;
};

struct BlockConfig {
  std::string id;    ///< 1 to 20 of [A-Za-z0-9_-]; empty: "disk0" and so on, by position
  std::string path;  ///< a raw image or a block device
  bool read_only = false;
  bool root = false;     ///< the guest's root file system: says so on its command line
  std::string partuuid;  ///< with `root`: the partition to take, by the id in its table
  u32 queues = 0;        ///< 0: one per vCPU, up to 4
  u32 queue_size = 256;  ///< a power of two from kMinQueueSize to kMaxQueueSize
  BlockCache cache = BlockCache::kWriteback;
  std::optional<Transport> transport;   ///< none: the machine's
  std::optional<RateLimit> bandwidth;   ///< bytes
  std::optional<RateLimit> operations;  ///< requests
  bool operator==(const BlockConfig&) const = default;
};

/// A network interface: its frames go to a tap, which is named or handed over as descriptors.
struct NetConfig {
  std::string id;                 ///< as a disk's; empty: "net0" and so on, by position
  std::string tap;                ///< an interface of the host; empty when there are `fds`
  std::vector<int> fds;           ///< open descriptors of one tap, one per queue pair
  std::optional<MacAddress> mac;  ///< none: made from id and tap
  u32 mtu = 0;                    ///< 0: the guest is told none
  u32 queues = 0;                 ///< pairs; 0: one, or as many as there are `fds`
  u32 queue_size = 256;
  std::optional<Transport> transport;     ///< none: the machine's
  std::optional<RateLimit> rx_bandwidth;  ///< bytes to the guest
  std::optional<RateLimit> rx_frames;     ///< frames to the guest
  std::optional<RateLimit> tx_bandwidth;  ///< bytes from the guest
  std::optional<RateLimit> tx_frames;     ///< frames from the guest
  bool operator==(const NetConfig&) const = default;
};

/// The name of disk number `position`: its own, or the default one.
inline std::string disk_id(const BlockConfig& disk, std::size_t position) {
  return disk.id.empty() ? "disk" + std::to_string(position) : disk.id;
}

/// The name of interface number `position`: its own, or the default one.
inline std::string net_id(const NetConfig& net, std::size_t position) {
  return net.id.empty() ? "net" + std::to_string(position) : net.id;
}

/// A device of the host that the guest has.
struct VfioConfig {
  std::optional<PciAddress> address;  ///< of a function that vfio-pci has; always needed
  std::string id;                     ///< what clients call it; empty: vfio0, vfio1...
  bool operator==(const VfioConfig&) const = default;
};

/// The name of device number `position`: its own, or the default one.
inline std::string vfio_id(const VfioConfig& device, std::size_t position) {
  return device.id.empty() ? "vfio" + std::to_string(position) : device.id;
}

/// Bits of CPUID that a guest sees as 0 or as 1, whatever the host has.
struct CpuidMask {
  u32 leaf = 0;
  u32 subleaf = 0;
  enum class Register { kEax, kEbx, kEcx, kEdx } reg = Register::kEax;
  u32 clear = 0;
  u32 set = 0;
  bool operator==(const CpuidMask&) const = default;
};

enum class SerialMode { kStdio, kFile, kPty, kNone };

struct SerialConfig {
  SerialMode mode = SerialMode::kStdio;
  std::string path;  ///< for kFile
  bool operator==(const SerialConfig&) const = default;
};

/// How a VM's process is confined on the host.
struct SandboxConfig {
  bool enabled = true;     ///< else a guest that breaks out has all that the user has
  std::optional<u32> uid;  ///< none: one of the VM's own; as root only
  std::optional<u32> gid;  ///< none: the same number
  bool operator==(const SandboxConfig&) const = default;
};

struct TimelineConfig {
  bool table = false;     ///< print a table on standard error at the end
  std::string json_path;  ///< empty: none; Chrome trace format
  bool operator==(const TimelineConfig&) const = default;
};

/// What the VM may take of the host, by a control group of its own. Empty: as much as there is.
struct LimitsConfig {
  std::optional<u32> cpu;         ///< CPU time per time, in thousandths
  std::optional<u32> cpu_weight;  ///< share of busy CPUs; others have 100
  std::optional<u64> memory_bytes;
  std::optional<u32> pids;             ///< processes and threads
  std::optional<u64> read_bandwidth;   ///< bytes per second from each disk of the host
  std::optional<u64> write_bandwidth;  ///< bytes per second to it
  std::optional<u32> read_operations;  ///< per second
  std::optional<u32> write_operations;
  std::string parent;  ///< control group to make it in: "/a/b"; empty: that of this process
  std::string group;   ///< its name; empty: "mote-" and the process number
  bool operator==(const LimitsConfig&) const = default;
};

struct VmConfig {
  KernelConfig kernel;
  MachineConfig machine;
  std::vector<CpuidMask> cpuid;     ///< a later one wins
  std::vector<BlockConfig> blocks;  ///< in the order in which the guest sees them
  std::vector<NetConfig> nets;      ///< behind the disks, likewise
  std::vector<VfioConfig> vfios;    ///< on the PCI bus, in this order
  SerialConfig serial;
  SandboxConfig sandbox;
  LimitsConfig limits;
  TimelineConfig timeline;
  bool operator==(const VmConfig&) const = default;
};

/// Whether `device`, a disk or an interface of `config`, is on the PCI bus.
template <class Device>
bool is_by_pci(const VmConfig& config, const Device& device) {
  return device.transport.value_or(config.machine.transport) == Transport::kPci;
}

/// How many functions are on the PCI bus, those of the host among them.
inline std::size_t pci_function_count(const VmConfig& config) {
  const auto by_pci = [&config](const auto& device) { return is_by_pci(config, device); };
  return config.vfios.size() +
         static_cast<std::size_t>(
             std::count_if(config.blocks.begin(), config.blocks.end(), by_pci) +
             std::count_if(config.nets.begin(), config.nets.end(), by_pci));
}

/// Whether the machine has a PCI bus: something is on it.
inline bool needs_pci(const VmConfig& config) {
  return pci_function_count(config) > 0;
}

}  // namespace mote
