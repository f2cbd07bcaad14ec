// SPDX-License-Identifier: Apache-2.0
// Taking functions from the host for a VM: by which way, and what is in it.
#pragma once

#include <memory>
#include <span>

#include "core/pci_address.hpp"
#include "devices/vfio/address_space.hpp"

namespace mote::vfio {

/// An address space that the functions at `addresses`, which vfio-pci has to have already, have
/// joined; some, each once or more. By iommufd where this user can open its files for all of them,
/// else by a container. An Error names what is in the way and the command that mends it.
Result<std::unique_ptr<AddressSpace>> open_address_space(const HostFunctions& host,
                                                         std::span<const PciAddress> addresses);

/// One of an open file, /dev/iommu or /dev/vfio/vfio; nobody is in it yet.
Result<std::unique_ptr<AddressSpace>> adopt_address_space(UniqueFd fd);

/// Has one more function join `space`, likewise.
Result<void> join(const HostFunctions& host, AddressSpace& space, const PciAddress& address);

}  // namespace mote::vfio
