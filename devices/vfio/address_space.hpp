// SPDX-License-Identifier: Apache-2.0
// What the devices of a VM see of memory, kept by the host's IOMMU. The kernel has two interfaces
// for it (way.hpp), which are the two kinds of it: Container and Iommufd.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/fd.hpp"
#include "core/guest_memory.hpp"
#include "core/result.hpp"
#include "devices/vfio/host_functions.hpp"
#include "devices/vfio/iova_ranges.hpp"

namespace mote::vfio {

/// One of a VM's devices, which see the same memory; empty at first. Ends behind them. One thread.
class AddressSpace {
 public:
  virtual ~AddressSpace() = default;
  virtual Way way() const = 0;
  /// Has `function`, with which nothing is in the way, in it from now on.
  virtual Result<void> join(const HostFunction& function) = 0;
  /// The device at `address`, which has joined. Opens no file.
  virtual Result<UniqueFd> take(const PciAddress& address) const = 0;
  /// What KVM is to be told of: the files of the groups, or of the devices.
  virtual std::vector<int> kvm_files() const = 0;
  /// The addresses that there are for all devices; none when the kernel does not say. Behind the
  /// first `join`.
  virtual Result<std::vector<IovaRange>> ranges() const = 0;
  /// Has the devices reach `memory` at `address`, and locks it into RAM: whole pages. Returns 0 or
  /// an errno. Behind the first `join`.
  virtual int map(Gpa address, std::span<std::byte> memory) const = 0;
};

/// Lets the devices in `space` reach all of `memory`, at the guest's addresses. `memory` outlives
/// the space.
Result<void> map_all(const AddressSpace& space, const GuestMemory& memory);

}  // namespace mote::vfio
