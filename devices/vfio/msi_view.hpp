// SPDX-License-Identifier: Apache-2.0
// MSI as a guest sees it in the configuration space of a function: one message, of which each
// vector has its own by the lowest bits of the data [PCI-3.0 6.8.1]. Pure.
#pragma once

#include "core/types.hpp"
#include "devices/pci/config_space.hpp"

namespace mote::vfio {

/// What a function's MSI is like. Offsets are those within the capability.
struct MsiShape {
  u32 vectors = 1;  ///< a power of two, 32 at the most
  bool is_64bit = false;
  bool has_masks = false;  ///< and pending bits

  u32 data_offset() const { return is_64bit ? 12 : 8; }
  u32 masks_offset() const { return data_offset() + 4; }
  u32 pending_offset() const { return data_offset() + 8; }
  u32 size() const { return has_masks ? pending_offset() + 4 : data_offset() + 2; }
  bool operator==(const MsiShape&) const = default;
};

/// From the capability's Message Control. A number of vectors that is reserved counts as 32.
MsiShape msi_shape(u16 control);

/// Adds the capability, switched off. Returns where it lies.
u32 add_msi(const MsiShape& shape, pci::ConfigSpace& config);

/// What a guest has written into it.
struct MsiRegisters {
  bool enabled = false;
  u32 vectors = 1;  ///< those that it has enabled: a power of two, not more than the shape's
  MsiMessage message;
  u32 masks = 0;

  /// The function sends as many messages as it always does: when fewer are enabled, some share one.
  u32 shared(u32 vector) const { return vector % vectors; }
  MsiMessage message_of(u32 vector) const;
  bool is_masked(u32 vector) const { return ((masks >> shared(vector)) & 1) != 0; }
};

/// Of the capability at `offset`.
MsiRegisters read_msi(const MsiShape& shape, const pci::ConfigSpace& config, u32 offset);

}  // namespace mote::vfio
