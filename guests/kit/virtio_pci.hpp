// SPDX-License-Identifier: Apache-2.0
// A virtio function on PCI bus 0: where it is, what its capabilities say, its MSI-X [Virtio 1.2
// 4.1]. First vCPU, ring 0 or 3.
#pragma once

#include "guests/kit/cpu.hpp"
#include "guests/kit/types.hpp"

namespace kit::virtio {

/// Configuration space of bus 0 as memory, as the MCFG says.
inline constexpr u64 kEcam = 0xE0000000;
inline constexpr u64 kFunctionSize = 4096;
inline constexpr u32 kPciDevices = 32;

constexpr u64 config_space(u32 device) {
  return kEcam + device * 8 * kFunctionSize;
}

// Registers of a function [PCI-3.0 6.1].
inline constexpr u32 kPciCommand = 0x04;
inline constexpr u32 kPciBar0 = 0x10;
inline constexpr u32 kPciCapabilities = 0x34;
inline constexpr u16 kPciMemory = 2;
inline constexpr u16 kPciBusMaster = 4;

// Message Control of MSI-X, two bytes behind its capability's begin [PCI-3.0 6.8.2.3].
inline constexpr u16 kMsixEnabled = 0x8000;
inline constexpr u16 kMsixMasked = 0x4000;

/// Registers of the common configuration that virtio over MMIO does not have [4.1.4.3].
inline constexpr u32 kConfigVector = 16;
inline constexpr u32 kQueueVector = 26;
inline constexpr u16 kNoVector = 0xFFFF;

/// Addresses of its parts.
struct PciFunction {
  u64 config_space;
  u64 common;
  u64 notify;
  u64 isr;
  u64 device;
  u64 msix_table;
  u64 msix_pending;
  u64 msix_control;
  u32 notify_stride;
};

/// The function with this virtio device type behind `skip` others of its kind; false when there is
/// none. Switches memory decoding and bus mastering on.
bool find_function(u32 type, u32 skip, PciFunction& function);

/// Has vector `number` of the function send `vector` to the vCPU with this APIC id. It is masked
/// while that is written, and is not afterwards.
void set_message(const PciFunction& function, u32 number, u8 vector, u32 apic_id);
inline void mask_message(const PciFunction& function, u32 number, bool masked) {
  mmio_write<u32>(function.msix_table + 16 * number + 12, masked ? 1 : 0);
}
inline void set_msix(const PciFunction& function, u16 control) {
  mmio_write<u16>(function.msix_control, control);
}

}  // namespace kit::virtio
