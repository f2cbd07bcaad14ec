// SPDX-License-Identifier: Apache-2.0
// Where virtio-mmio devices stand, and the words that tell a guest without ACPI of them.
#pragma once

#include <array>
#include <string>

#include "core/check.hpp"
#include "core/types.hpp"
#include "vmm/arch/layout.hpp"

namespace mote::arch {

/// Address and interrupt of one virtio-mmio device.
struct VirtioSlot {
  Gpa address;  ///< of layout::kVirtioMmioStride bytes
  Pin pin{};    ///< its own, as an edge

  bool operator==(const VirtioSlot&) const = default;
};

/// Pins that no fixed device has. Those that the PIC pair can deliver come first.
inline constexpr std::array<u8, 17> kVirtioPins = {5,  6,  7,  9,  10, 11, 12, 14, 15,
                                                   16, 17, 18, 19, 20, 21, 22, 23};
inline constexpr u32 kMaxVirtioDevices = kVirtioPins.size();

/// The place of device `number`, below kMaxVirtioDevices. Pure.
constexpr VirtioSlot virtio_slot(u32 number) {
  CHECK(number < kMaxVirtioDevices, "there is a pin for each virtio device");
  return {Gpa(layout::kVirtioMmio.raw() + number * layout::kVirtioMmioStride),
          Pin{kVirtioPins[number]}};
}

/// What Linux's command line says of device `number`: "virtio_mmio.device=4K@0xd0000000:5". Pure.
std::string virtio_word(u32 number);

}  // namespace mote::arch
