// SPDX-License-Identifier: Apache-2.0
// What a guest sees of a function's configuration space: identity and BARs as they are, and of the
// capabilities those that it can have. Pure.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "devices/pci/config_space.hpp"
#include "devices/vfio/bar_plan.hpp"
#include "devices/vfio/msi_view.hpp"

namespace mote::vfio {

/// What becomes of a capability.
enum class Showing : u8 {
  kHidden,  ///< the guest does not see it
  kPassed,  ///< it reads and writes the device's, as far as VFIO lets it
  kKept,    ///< it sees what it writes, and the device does not
  kOurs,    ///< interrupts
};

/// By its id [PCI Code and ID Assignment 2]. All that is not named there is hidden: what belongs to
/// the host (slots, buses, virtual channels), and what could outlast the guest (vital product
/// data).
Showing showing_of(u8 capability);

/// A capability where the device has it.
struct Capability {
  u8 id = 0;
  u8 offset = 0;
  u8 size = 0;  ///< bytes, ending before the next one begins
  bool operator==(const Capability&) const = default;
};

/// The first 256 bytes of a device's configuration space, as VFIO shows them.
using Snapshot = std::array<u8, pci::ConfigSpace::kSize>;

/// The list of the device's capabilities, in its order. What leads in circles ends there.
std::vector<Capability> list_capabilities(const Snapshot& snapshot);

pci::Identity read_identity(const Snapshot& snapshot);
/// `sizes` are those of the regions. Ranges of ports are left out; what is smaller than a page
/// becomes one.
pci::Bars read_bars(const Snapshot& snapshot, std::span<const u64, pci::kBarCount> sizes);
/// Nothing when the device has no MSI-X.
std::optional<MsixPlace> find_msix(const Snapshot& snapshot);
/// Nothing when the device has no MSI.
std::optional<MsiShape> find_msi(const Snapshot& snapshot);

/// A part of a capability that passes.
struct Passage {
  u32 guest_offset = 0;
  u32 device_offset = 0;
  u32 size = 0;
  bool operator==(const Passage&) const = default;
};

/// Adds what is passed and kept to `config`; returns what is to go to the device.
///
/// LIMIT: capabilities lie elsewhere than in the device, and there are no extended ones: SR-IOV,
/// ARI, resizable BARs, address translation and error reporting are the host's.
std::vector<Passage> add_capabilities(const Snapshot& snapshot, pci::ConfigSpace& config);

/// Adds MSI-X as the guest is to see it, with `place.vectors`. Returns where it lies.
u32 add_msix(const MsixPlace& place, pci::ConfigSpace& config);

}  // namespace mote::vfio
