// SPDX-License-Identifier: Apache-2.0
// What ACPI tells of the PCI bus.
#pragma once

#include <cstddef>
#include <vector>

#include "core/types.hpp"

namespace mote::arch {

/// Neighbours on the bus.
struct PciDevices {
  u32 first = 0;
  u32 count = 0;  ///< 0: none
};

/// An SSDT with the host bridge, whose windows are layout::kPciBelow4g and `above_4g`, and with a
/// slot for each of the devices that are `removable`. Length and checksum in the header are the
/// caller's to fill in. Pure.
std::vector<std::byte> build_pci_ssdt(const GpaRange& above_4g, const PciDevices& removable);

}  // namespace mote::arch
