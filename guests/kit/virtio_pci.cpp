// SPDX-License-Identifier: Apache-2.0
// A virtio function on PCI bus 0. First vCPU, ring 0 or 3.
#include "guests/kit/virtio_pci.hpp"

namespace kit::virtio {
namespace {

constexpr u32 kVendorAndFirstDevice = 0x10401AF4;
constexpr u32 kDeviceShift = 16;

constexpr u8 kVendorCapability = 9;
constexpr u8 kMsixCapability = 0x11;

// Kinds of virtio's capabilities [4.1.4].
constexpr u8 kCommon = 1;
constexpr u8 kNotify = 2;
constexpr u8 kIsr = 3;
constexpr u8 kDevice = 4;

template <class T>
T read(u64 space, u32 offset) {
  return mmio_read<T>(space + offset);
}

u64 bar(u64 space, u32 number) {
  const u32 low = read<u32>(space, kPciBar0 + 4 * number);
  const bool is_64bit = (low & 4) != 0;
  const u64 high = is_64bit ? read<u32>(space, kPciBar0 + 4 * number + 4) : 0;
  return high << 32 | (low & ~0xFU);
}

void take_part(u64 space, u32 at, PciFunction& function) {
  const u64 address = bar(space, read<u8>(space, at + 4)) + read<u32>(space, at + 8);
  switch (read<u8>(space, at + 3)) {
    case kCommon:
      function.common = address;
      break;
    case kNotify:
      function.notify = address;
      function.notify_stride = read<u32>(space, at + 16);
      break;
    case kIsr:
      function.isr = address;
      break;
    case kDevice:
      function.device = address;
      break;
    default:
      break;
  }
}

void take_msix(u64 space, u32 at, PciFunction& function) {
  const u32 table = read<u32>(space, at + 4);
  const u32 pending = read<u32>(space, at + 8);
  function.msix_control = space + at + 2;
  function.msix_table = bar(space, table & 7) + (table & ~7U);
  function.msix_pending = bar(space, pending & 7) + (pending & ~7U);
}

}  // namespace

bool find_function(u32 type, u32 skip, PciFunction& function) {
  for (u32 device = 0; device < kPciDevices; device++) {
    const u64 space = config_space(device);
    if (read<u32>(space, 0) != kVendorAndFirstDevice + (type << kDeviceShift)) continue;
    if (skip-- != 0) continue;
    function = {.config_space = space};
    for (u32 at = read<u8>(space, kPciCapabilities); at != 0; at = read<u8>(space, at + 1)) {
      const u8 id = read<u8>(space, at);
      if (id == kVendorCapability) take_part(space, at, function);
      if (id == kMsixCapability) take_msix(space, at, function);
    }
    mmio_write<u16>(space + kPciCommand, kPciMemory | kPciBusMaster);
    return function.common != 0 && function.notify != 0 && function.isr != 0 &&
           function.device != 0 && function.msix_table != 0;
  }
  return false;
}

void set_message(const PciFunction& function, u32 number, u8 vector, u32 apic_id) {
  const u64 entry = function.msix_table + 16 * number;
  mask_message(function, number, true);
  mmio_write<u32>(entry, 0xFEE00000 | apic_id << 12);
  mmio_write<u32>(entry + 4, 0);
  mmio_write<u32>(entry + 8, vector);
  mask_message(function, number, false);
}

}  // namespace kit::virtio
