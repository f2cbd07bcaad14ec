// SPDX-License-Identifier: Apache-2.0
// Taking functions from the host for a VM: which way, what is in the way, and then the kernel's
// VFIO.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/pci_address.hpp"
#include "devices/vfio/address_space.hpp"
#include "devices/vfio/device.hpp"

namespace mote::vfio {

/// The functions that a VM has been given.
struct TakenFunctions {
  struct One {
    std::unique_ptr<Device> device;
    int kvm_file = -1;  ///< see AddressSpace::Member
  };
  std::unique_ptr<AddressSpace> space;
  std::vector<One> functions;
};

/// Takes the functions at `addresses`, which vfio-pci has to have already, and resets them: by
/// iommufd where this user can open its files for all of them, else by a container. An Error names
/// what is in the way and the command that mends it.
Result<TakenFunctions> take_functions(const HostFunctions& host,
                                      std::span<const PciAddress> addresses);

}  // namespace mote::vfio
