// SPDX-License-Identifier: Apache-2.0
// The view of a configuration space. Section numbers are PCI 3.0's.
#include "devices/vfio/config_view.hpp"

#include <algorithm>
#include <bit>

#include "core/bus.hpp"

namespace mote::vfio {
namespace {

// Registers (6.1).
constexpr u32 kVendor = 0x00;
constexpr u32 kDevice = 0x02;
constexpr u32 kStatus = 0x06;
constexpr u32 kRevision = 0x08;
constexpr u32 kClassCode = 0x09;
constexpr u32 kFirstBar = 0x10;
constexpr u32 kSubsystemVendor = 0x2c;
constexpr u32 kSubsystem = 0x2e;
constexpr u32 kFirstCapability = 0x34;
constexpr u32 kHeaderEnd = 0x40;

constexpr u32 kHasCapabilities = 1u << 4;

// A BAR (6.2.5.1).
constexpr u32 kIsPorts = 1u << 0;
constexpr u32 kTypeMask = 3u << 1;
constexpr u32 kType64Bit = 2u << 1;
constexpr u32 kIsPrefetchable = 1u << 3;

// Capabilities.
constexpr u8 kPowerManagement = 0x01;
constexpr u8 kMsi = 0x05;
constexpr u8 kVendorSpecific = 0x09;
constexpr u8 kPciExpress = 0x10;
constexpr u8 kMsix = 0x11;
constexpr u8 kAdvancedFeatures = 0x13;

constexpr u32 kPowerSize = 8;
constexpr u32 kMsixSize = 12;
constexpr u32 kAdvancedSize = 6;
constexpr u32 kExpressSize1 = 0x14;  // of an endpoint in version 1 [PCIe-1.1 7.8]
constexpr u32 kExpressSize2 = 0x3c;  // [PCIe-5.0 7.5.3]

u32 value(const Snapshot& snapshot, u32 offset, u32 size) {
  return static_cast<u32>(load_le(std::as_bytes(std::span(snapshot)).subspan(offset, size)));
}

u16 msi_control(const Snapshot& snapshot, u32 offset) {
  return static_cast<u16>(value(snapshot, offset + 2, 2));
}

/// As long as the specification has it. `offset` is at most 252.
u32 nominal_size(const Snapshot& snapshot, u8 id, u32 offset) {
  switch (id) {
    case kPowerManagement:
      return kPowerSize;
    case kVendorSpecific:
      return snapshot[offset + 2];
    case kPciExpress:
      return (snapshot[offset + 2] & 0xf) == 1 ? kExpressSize1 : kExpressSize2;
    case kMsi:
      return msi_shape(msi_control(snapshot, offset)).size();
    case kMsix:
      return kMsixSize;
    case kAdvancedFeatures:
      return kAdvancedSize;
    default:
      return 2;
  }
}

/// Power management [PCI-PM-1.2 3.2]: the device stays on, and raises no events.
constexpr u8 kNoPmeSupport = 0x07;  // of the upper byte of its capabilities
constexpr u8 kPowerState = 0x03;
constexpr u8 kNoSoftReset = 0x08;

void add_power_management(const Snapshot& snapshot, u32 offset, pci::ConfigSpace& config) {
  const u8 body[kPowerSize - 2] = {
      snapshot[offset + 2], static_cast<u8>(snapshot[offset + 3] & kNoPmeSupport), kNoSoftReset};
  const u8 writable[] = {0, 0, kPowerState};
  config.add_capability(kPowerManagement, body, writable);
}

}  // namespace

Showing showing_of(u8 capability) {
  switch (capability) {
    case kVendorSpecific:
    case kPciExpress:
    case kAdvancedFeatures:
      return Showing::kPassed;
    case kPowerManagement:
      return Showing::kKept;
    case kMsi:
    case kMsix:
      return Showing::kOurs;
    default:
      return Showing::kHidden;
  }
}

std::vector<Capability> list_capabilities(const Snapshot& snapshot) {
  std::vector<Capability> list;
  if ((value(snapshot, kStatus, 2) & kHasCapabilities) == 0) return list;
  const auto is_known = [&list](u32 offset) {
    return std::any_of(list.begin(), list.end(),
                       [offset](const Capability& other) { return other.offset == offset; });
  };
  for (u32 offset = snapshot[kFirstCapability] & ~3u; offset >= kHeaderEnd && !is_known(offset);
       offset = snapshot[offset + 1] & ~3u) {
    list.push_back({.id = snapshot[offset], .offset = static_cast<u8>(offset)});
  }
  for (Capability& capability : list) {
    u32 end =
        std::min<u32>(capability.offset + nominal_size(snapshot, capability.id, capability.offset),
                      pci::ConfigSpace::kSize);
    for (const Capability& other : list) {
      if (other.offset > capability.offset) end = std::min<u32>(end, other.offset);
    }
    capability.size = static_cast<u8>(std::max(end, capability.offset + 2u) - capability.offset);
  }
  return list;
}

pci::Identity read_identity(const Snapshot& snapshot) {
  return {.vendor = static_cast<u16>(value(snapshot, kVendor, 2)),
          .device = static_cast<u16>(value(snapshot, kDevice, 2)),
          .subsystem_vendor = static_cast<u16>(value(snapshot, kSubsystemVendor, 2)),
          .subsystem = static_cast<u16>(value(snapshot, kSubsystem, 2)),
          .revision = snapshot[kRevision],
          .class_code = value(snapshot, kClassCode, 3)};
}

pci::Bars read_bars(const Snapshot& snapshot, std::span<const u64, pci::kBarCount> sizes) {
  pci::Bars bars;
  for (u32 bar = 0; bar < pci::kBarCount; ++bar) {
    const u32 flags = value(snapshot, kFirstBar + 4 * bar, 4);
    if (sizes[bar] == 0 || (flags & kIsPorts) != 0) continue;
    const bool is_64bit = (flags & kTypeMask) == kType64Bit && bar + 1 < pci::kBarCount;
    bars[bar] = {.size = std::bit_ceil(std::max(sizes[bar], kPageSize)),
                 .is_64bit = is_64bit,
                 .is_prefetchable = (flags & kIsPrefetchable) != 0};
    if (is_64bit) ++bar;
  }
  return bars;
}

std::optional<MsixPlace> find_msix(const Snapshot& snapshot) {
  constexpr u32 kBarMask = 7;
  constexpr u32 kCountMask = 0x7ff;
  for (const Capability& capability : list_capabilities(snapshot)) {
    if (capability.id != kMsix || capability.size < kMsixSize) continue;
    const u32 table = value(snapshot, capability.offset + 4u, 4);
    const u32 pending = value(snapshot, capability.offset + 8u, 4);
    return MsixPlace{.vectors = (value(snapshot, capability.offset + 2u, 2) & kCountMask) + 1,
                     .table_bar = table & kBarMask,
                     .table_offset = table & ~kBarMask,
                     .pending_bar = pending & kBarMask,
                     .pending_offset = pending & ~kBarMask};
  }
  return std::nullopt;
}

std::optional<MsiShape> find_msi(const Snapshot& snapshot) {
  for (const Capability& capability : list_capabilities(snapshot)) {
    if (capability.id != kMsi) continue;
    const MsiShape shape = msi_shape(msi_control(snapshot, capability.offset));
    if (capability.size == shape.size()) return shape;
  }
  return std::nullopt;
}

std::vector<Passage> add_capabilities(const Snapshot& snapshot, pci::ConfigSpace& config) {
  std::vector<Passage> passages;
  for (const Capability& capability : list_capabilities(snapshot)) {
    const Showing showing = showing_of(capability.id);
    if (showing == Showing::kKept && capability.size == kPowerSize) {
      add_power_management(snapshot, capability.offset, config);
    }
    if (showing != Showing::kPassed || capability.size <= 2) continue;
    const u32 size = capability.size - 2u;
    const auto body = std::span(snapshot).subspan(capability.offset + 2u, size);
    const u32 offset = config.add_capability(capability.id, body);
    passages.push_back({offset + 2, capability.offset + 2u, size});
  }
  return passages;
}

u32 add_msix(const MsixPlace& place, pci::ConfigSpace& config) {
  std::array<u8, kMsixSize - 2> body{};
  const auto bytes = std::as_writable_bytes(std::span(body));
  store_le(bytes.subspan(0, 2), place.vectors - 1);
  store_le(bytes.subspan(2, 4), place.table_offset | place.table_bar);
  store_le(bytes.subspan(6, 4), place.pending_offset | place.pending_bar);
  constexpr u8 kWritable[] = {0, 0xc0};  // enable, function mask (6.8.2.3)
  return config.add_capability(kMsix, body, kWritable);
}

}  // namespace mote::vfio
