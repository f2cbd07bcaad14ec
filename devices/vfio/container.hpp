// SPDX-License-Identifier: Apache-2.0
// The kernel's VFIO: the container whose IOMMU tables hold a guest's RAM, and the devices in it
// (Documentation/driver-api/vfio.rst).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/fd.hpp"
#include "core/guest_memory.hpp"
#include "core/pci_address.hpp"
#include "core/result.hpp"
#include "devices/vfio/device.hpp"
#include "devices/vfio/host_functions.hpp"

namespace mote::vfio {

/// One of a VM's devices; they see the same memory. One thread.
class Container {
 public:
  /// Opens /dev/vfio/vfio.
  static Result<Container> open();

  /// Takes the function at `address`, which vfio-pci has to have already, and resets it. An Error
  /// names what is in the way and the command that mends it.
  Result<std::unique_ptr<Device>> add(const HostFunctions& host, const PciAddress& address);
  /// Lets the devices reach all of `memory`, at the guest's addresses; locks it into RAM. Behind
  /// the first `add`. `memory` outlives this.
  Result<void> map(const GuestMemory& memory) const;
  /// The IOMMU groups in use, which KVM wants to know.
  std::vector<int> group_fds() const;

 private:
  struct Group {
    u32 number;
    UniqueFd fd;
  };
  explicit Container(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<const Group*> join_group(u32 number);
  Result<void> check_reach(const GuestMemory& memory) const;

  UniqueFd fd_;
  std::vector<Group> groups_;
};

}  // namespace mote::vfio
