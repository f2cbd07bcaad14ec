// SPDX-License-Identifier: Apache-2.0
// The ACPI table (SSDT) that tells a guest of its virtio-mmio devices.
#pragma once

#include <cstddef>
#include <vector>

#include "core/types.hpp"

namespace mote::arch {

/// The table for `count` devices, 1 to kMaxVirtioDevices, each at its place (`virtio_slot`) and
/// with the HID "LNRO0005" that Linux's virtio-mmio driver looks for. Length and checksum in the
/// header are the caller's to fill in. Pure.
std::vector<std::byte> build_virtio_ssdt(u32 count);

}  // namespace mote::arch
