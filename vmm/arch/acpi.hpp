// SPDX-License-Identifier: Apache-2.0
// Hardware-reduced ACPI tables for a machine: RSDP, XSDT, FADT, MADT, DSDT, an SSDT with its
// virtio-mmio devices, and MCFG and an SSDT with its PCI bus.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "core/types.hpp"
#include "vmm/arch/pci_ssdt.hpp"

namespace mote::arch {

struct AcpiOptions {
  u32 vcpu_count = 1;
  bool legacy = true;                    ///< the machine has PICs and a CMOS clock
  u32 virtio_devices = 0;                ///< how many an SSDT announces; 0: there is no such SSDT
  std::optional<GpaRange> pci_above_4g;  ///< the PCI bus's window there; none: there is no bus
  PciDevices removable;                  ///< that a guest may be asked for
};

/// The tables as one block for GPA `base`, RSDP first [ACPI-6.5 5.2]. Pure.
std::vector<std::byte> build_acpi(Gpa base, const AcpiOptions& options);

}  // namespace mote::arch
