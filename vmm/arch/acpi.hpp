// SPDX-License-Identifier: Apache-2.0
// Hardware-reduced ACPI tables for a machine: RSDP, XSDT, FADT, MADT, DSDT, and an SSDT with its
// virtio devices.
#pragma once

#include <cstddef>
#include <vector>

#include "core/types.hpp"

namespace mote::arch {

struct AcpiOptions {
  u32 vcpu_count = 1;
  bool legacy = true;      ///< the machine has PICs and a CMOS clock
  u32 virtio_devices = 0;  ///< how many the SSDT announces; 0: there is no SSDT
};

/// The tables as one block for GPA `base`, RSDP first [ACPI-6.5 5.2]. Pure.
std::vector<std::byte> build_acpi(Gpa base, const AcpiOptions& options);

}  // namespace mote::arch
