// SPDX-License-Identifier: Apache-2.0
// MSI's capability. Section numbers are PCI 3.0's.
#include "devices/vfio/msi_view.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "core/bus.hpp"

namespace mote::vfio {
namespace {

constexpr u8 kMsi = 0x05;
// Message Control (6.8.1.3). Numbers of vectors are powers of two.
constexpr u32 kControl = 2;
constexpr u16 kEnabled = 1u << 0;
constexpr u32 kVectorsShift = 1;
constexpr u32 kEnabledVectorsShift = 4;
constexpr u32 kVectorsMask = 7;
constexpr u16 kIs64bit = 1u << 7;
constexpr u16 kHasMasks = 1u << 8;
constexpr u32 kMostVectorsPower = 5;

constexpr u32 kAddress = 4;
constexpr u32 kAddressHigh = 8;

/// `bits` of the body of a capability, behind its id and pointer.
void allow(std::span<u8> body, u32 offset, std::size_t size, u64 bits) {
  store_le(std::as_writable_bytes(body).subspan(offset - 2, size), bits);
}

}  // namespace

MsiShape msi_shape(u16 control) {
  const u32 power = std::min((control >> kVectorsShift) & kVectorsMask, kMostVectorsPower);
  return {.vectors = 1u << power,
          .is_64bit = (control & kIs64bit) != 0,
          .has_masks = (control & kHasMasks) != 0};
}

u32 add_msi(const MsiShape& shape, pci::ConfigSpace& config) {
  std::array<u8, 22> body{};
  std::array<u8, 22> writable{};
  const auto power = static_cast<u32>(std::countr_zero(shape.vectors));
  allow(body, kControl, 2,
        (power << kVectorsShift) | (shape.is_64bit ? kIs64bit : 0u) |
            (shape.has_masks ? kHasMasks : 0u));
  allow(writable, kControl, 2, kEnabled | (kVectorsMask << kEnabledVectorsShift));
  allow(writable, kAddress, 4, ~u32{3});
  if (shape.is_64bit) allow(writable, kAddressHigh, 4, ~u32{0});
  allow(writable, shape.data_offset(), 2, 0xffff);
  if (shape.has_masks) {
    allow(writable, shape.masks_offset(), 4, (u64{1} << shape.vectors) - 1);
  }
  return config.add_capability(kMsi, std::span(body).first(shape.size() - 2),
                               std::span(writable).first(shape.size() - 2));
}

MsiRegisters read_msi(const MsiShape& shape, const pci::ConfigSpace& config, u32 offset) {
  const u32 control = config.value(offset + kControl, 2);
  const u32 power = (control >> kEnabledVectorsShift) & kVectorsMask;
  return {.enabled = (control & kEnabled) != 0,
          .vectors = std::min(1u << power, shape.vectors),
          .message = {.address_low = config.value(offset + kAddress, 4),
                      .address_high = shape.is_64bit ? config.value(offset + kAddressHigh, 4) : 0,
                      .data = config.value(offset + shape.data_offset(), 2)},
          .masks = shape.has_masks ? config.value(offset + shape.masks_offset(), 4) : 0};
}

MsiMessage MsiRegisters::message_of(u32 vector) const {
  MsiMessage own = message;
  own.data = (message.data & ~(vectors - 1)) | shared(vector);
  return own;
}

}  // namespace mote::vfio
