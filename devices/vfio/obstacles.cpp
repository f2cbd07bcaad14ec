// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/obstacles.hpp"

#include "core/text.hpp"
#include "devices/vfio/refusals.hpp"

namespace mote::vfio {
namespace {

constexpr u32 kBridges = 0x06;  // the class of bridges [PCI Code and ID Assignment 1.7]

/// Whether the kernel lets a group be used although a function in it has this driver: those that
/// start no DMA.
bool is_harmless(const std::string& driver) {
  return driver.empty() || is_vfio_driver(driver) || driver == "pci-stub" || driver == "pcieport";
}

std::string bind_command(const PciAddress& address) {
  return "sudo mote vfio prepare --bind " + print_pci_address(address);
}

void add_siblings(const HostFunction& function, std::span<const HostFunction> all,
                  std::vector<Obstacle>& found) {
  for (const HostFunction& other : all) {
    if (other.group != function.group || other.address == function.address) continue;
    if (is_harmless(other.driver)) continue;
    found.push_back(
        {format("the driver %s has %s, which is in the same IOMMU group (%u)", other.driver.c_str(),
                print_pci_address(other.address).c_str(), *function.group),
         bind_command(other.address)});
  }
}

/// The nodes of the container's way.
void add_group_node(const HostFunction& function, const HostFacts& facts,
                    std::vector<Obstacle>& found) {
  const std::string node = group_path(*function.group);
  if (!facts.has_container) {
    found.push_back(
        {"there is no " + container_path(),
         "sudo modprobe vfio_iommu_type1; a container needs --device " + container_path()});
  }
  if (function.group_node == NodeAccess::kNone) {
    found.push_back({"there is no " + node, "a container needs --device " + node});
  } else if (function.group_node == NodeAccess::kDenied) {
    found.push_back({"this user may not open " + node, "sudo chown $USER " + node});
  }
}

/// The nodes of iommufd's way, both of which are there.
void add_device_nodes(const HostFunction& function, const HostFacts& facts,
                      std::vector<Obstacle>& found) {
  const auto add = [&found](NodeAccess access, const std::string& node) {
    if (access != NodeAccess::kDenied) return;
    found.push_back({"this user may not open " + node, "sudo chown $USER " + node});
  };
  add(facts.iommufd_node, iommufd_path());
  add(function.device_node, device_path(function.device_file));
}

}  // namespace

bool is_bridge(const HostFunction& function) {
  return function.class_code >> 16 == kBridges;
}

std::vector<Obstacle> obstacles_to_bind(const HostFunction& function, const HostFacts& facts) {
  std::vector<Obstacle> found;
  if (is_bridge(function)) {
    found.push_back({"a bridge, which no guest can have", {}});
    return found;
  }
  if (!function.group) {
    found.push_back({"no IOMMU keeps it to the guest's memory",
                     "switch VT-d or AMD-Vi on in the firmware; Intel: boot the host with "
                     "intel_iommu=on"});
    return found;
  }
  if (is_vfio_driver(function.driver)) return found;
  if (!facts.has_driver) found.push_back({"no driver vfio-pci", "sudo modprobe vfio-pci"});
  if (!function.virtuals.empty()) {
    found.push_back({format("it has %zu virtual functions, which would go with its driver",
                            function.virtuals.size()),
                     "pass one of those, or 'sudo mote vfio release " +
                         print_pci_address(function.address) + "' first"});
  }
  return found;
}

std::vector<Obstacle> obstacles(const HostFunction& function, std::span<const HostFunction> all,
                                const HostFacts& facts, Way way, u64 memory) {
  std::vector<Obstacle> found = obstacles_to_bind(function, facts);
  if (is_bridge(function) || !function.group) return found;
  // What cannot be bound yet is not told to be.
  if (!is_vfio_driver(function.driver) && function.virtuals.empty()) {
    found.push_back({function.driver.empty()
                         ? std::string("no driver has it, vfio-pci should")
                         : "the driver " + function.driver + " has it, vfio-pci should",
                     bind_command(function.address)});
  }
  add_siblings(function, all, found);
  // The nodes come with the driver.
  if (is_vfio_driver(function.driver)) {
    way == Way::kIommufd ? add_device_nodes(function, facts, found)
                         : add_group_node(function, facts, found);
  }
  if (!facts.remaps_interrupts && !facts.unsafe_interrupts[static_cast<std::size_t>(way)]) {
    found.push_back(
        {"interrupts are not remapped: a guest could send any to the host", remap_remedy(way)});
  }
  if (facts.lock_limit && *facts.lock_limit < memory) {
    found.push_back({format("this user may lock %llu KiB, and all of a guest's RAM is locked: %llu "
                            "KiB or more",
                            static_cast<unsigned long long>(*facts.lock_limit / kKiB),
                            static_cast<unsigned long long>(memory / kKiB)),
                     "ulimit -l unlimited, or LimitMEMLOCK=infinity in the service"});
  }
  return found;
}

}  // namespace mote::vfio
