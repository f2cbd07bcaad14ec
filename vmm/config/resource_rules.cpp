// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/resource_rules.hpp"

#include <algorithm>

#include "core/interface_name.hpp"
#include "core/text.hpp"

namespace mote {
namespace {

/// Far beyond any host, and small enough to be counted in bytes.
constexpr u64 kMostMib = (u64{1} << 52) / kMiB - 1024;

}  // namespace

Result<void> change_machine(MachineConfig& machine, const MachineUpdate& update) {
  MachineConfig changed = machine;
  if (update.vcpus) changed.vcpus = *update.vcpus;
  if (update.smt) changed.smt = *update.smt;
  if (update.track_dirty_pages) changed.track_dirty_pages = *update.track_dirty_pages;
  if (update.huge_pages) changed.huge_pages = *update.huge_pages;
  if (update.memory_mib) changed.memory_bytes = std::min(*update.memory_mib, kMostMib + 1) * kMiB;

  if (changed.vcpus < 1 || changed.vcpus > kMaxVcpus ||
      (changed.smt && changed.vcpus > 1 && changed.vcpus % 2 != 0)) {
    return Error::config(
        format("The vCPU number is invalid! The vCPU number can only be 1 to %u, and with SMT 1 or "
               "an even number.",
               kMaxVcpus));
  }
  const u64 page = changed.huge_pages ? kHugePageSize : kPageSize;
  if (changed.memory_bytes == 0 || changed.memory_bytes % page != 0) {
    return Error::config(
        "The memory size (MiB) is either 0, or not a multiple of the configured page size.");
  }
  if (changed.memory_bytes > kMostMib * kMiB) {
    return Error::config(format(
        "The memory size (MiB) is more than the %lu that an x86-64 guest can address.", kMostMib));
  }
  machine = changed;
  return {};
}

Result<void> put_drive(std::vector<BlockConfig>& drives, BlockConfig drive) {
  BlockConfig* const same = find_drive(drives, drive.id);
  const bool other_root = std::any_of(drives.begin(), drives.end(), [&](const BlockConfig& other) {
    return other.root && other.id != drive.id;
  });
  if (drive.root && other_root) return Error::config("A root block device already exists!");
  const bool stays = same != nullptr && (same->root || !drive.root);
  if (stays) {
    *same = std::move(drive);
    return {};
  }
  if (same != nullptr) drives.erase(drives.begin() + (same - drives.data()));
  drives.insert(drive.root ? drives.begin() : drives.end(), std::move(drive));
  return {};
}

Result<void> put_net(std::vector<NetConfig>& nets, NetConfig net) {
  if (net.fds.empty()) {
    auto tap = check_interface_name(net.tap);
    if (!tap) return std::move(tap).error().within("Could not create the network device");
  }
  if (net.mac && !is_unicast(*net.mac)) {
    return Error::config("The MAC address is not that of one interface: " + print_mac(*net.mac));
  }
  for (const NetConfig& other : nets) {
    if (other.id == net.id) continue;
    if (net.mac && other.mac == net.mac) {
      return Error::config("The MAC address is already in use: " + print_mac(*net.mac));
    }
    if (!net.tap.empty() && other.tap == net.tap) {
      return Error::config("Could not create the network device: interface '" + other.id +
                           "' has tap '" + net.tap + "'");
    }
  }
  NetConfig* const same = find_net(nets, net.id);
  if (same != nullptr) {
    *same = std::move(net);
  } else {
    nets.push_back(std::move(net));
  }
  return {};
}

Result<void> put_vfio(std::vector<VfioConfig>& devices, VfioConfig device) {
  for (const VfioConfig& other : devices) {
    if (other.id == device.id || other.address != device.address) continue;
    return Error::config("device '" + other.id + "' has " + print_pci_address(*device.address) +
                         " already");
  }
  VfioConfig* const same = find_vfio(devices, device.id);
  if (same != nullptr) {
    *same = std::move(device);
  } else {
    devices.push_back(std::move(device));
  }
  return {};
}

void change_rate(const RateUpdate& update, std::optional<RateLimit>& bandwidth,
                 std::optional<RateLimit>& operations) {
  if (update.bandwidth) bandwidth = *update.bandwidth;
  if (update.operations) operations = *update.operations;
}

BlockConfig* find_drive(std::vector<BlockConfig>& drives, std::string_view id) {
  const auto found = std::find_if(drives.begin(), drives.end(),
                                  [&](const BlockConfig& drive) { return drive.id == id; });
  return found == drives.end() ? nullptr : &*found;
}

NetConfig* find_net(std::vector<NetConfig>& nets, std::string_view id) {
  const auto found =
      std::find_if(nets.begin(), nets.end(), [&](const NetConfig& net) { return net.id == id; });
  return found == nets.end() ? nullptr : &*found;
}

VfioConfig* find_vfio(std::vector<VfioConfig>& devices, std::string_view id) {
  const auto found = std::find_if(devices.begin(), devices.end(),
                                  [&](const VfioConfig& device) { return device.id == id; });
  return found == devices.end() ? nullptr : &*found;
}

}  // namespace mote
