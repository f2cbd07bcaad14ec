// SPDX-License-Identifier: Apache-2.0
// What ACPI tells of the PCI bus.
#pragma once

#include <cstddef>
#include <vector>

#include "core/types.hpp"

namespace mote::arch {

/// An SSDT with the host bridge, whose windows are layout::kPciBelow4g and `above_4g`. Length and
/// checksum in the header are the caller's to fill in. Pure.
std::vector<std::byte> build_pci_ssdt(const GpaRange& above_4g);

}  // namespace mote::arch
