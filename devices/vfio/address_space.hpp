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
  AddressSpace() = default;
  /// Takes back what `map_all` did, for who else has it.
  virtual ~AddressSpace() = default;
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  virtual Way way() const = 0;
  /// The same one, with `members` alone, for an attempt to start a VM.
  virtual Result<std::unique_ptr<AddressSpace>> duplicate(
      std::span<const PciAddress> members) const = 0;
  /// Has `function`, with which nothing is in the way, in it from now on.
  virtual Result<void> join(const HostFunction& function) = 0;
  /// The same of the function at `address`, by an open file: of its group, or of itself.
  virtual Result<void> join(const PciAddress& address, UniqueFd file) = 0;
  virtual bool has(const PciAddress& address) const = 0;
  /// The device at `address`, which has joined. Opens no file.
  virtual Result<UniqueFd> take(const PciAddress& address) const = 0;
  /// Says that the device at `address` has ended. The file that KVM is to let go of before it is
  /// closed, and with that the host has the device back; none while another device needs it.
  virtual UniqueFd leave(const PciAddress& address) = 0;
  /// What KVM is to be told of: the files of the groups, or of the devices.
  virtual std::vector<int> kvm_files() const = 0;
  /// The addresses that there are for all devices; none when the kernel does not say. Behind the
  /// first `join`.
  virtual Result<std::vector<IovaRange>> ranges() const = 0;
  /// Lets the devices reach all of `memory`, at the guest's addresses, and locks it into RAM.
  /// Behind the first `join`. `memory` outlives this.
  Result<void> map_all(const GuestMemory& memory);

 protected:
  /// Whoever has `unmap` calls it at the end.
  void unmap_all();

 private:
  /// Whole pages. Returns 0 or an errno.
  virtual int map(Gpa address, std::span<std::byte> memory) = 0;
  virtual void unmap(const GpaRange& range) = 0;

  std::vector<GpaRange> mapped_;
};

}  // namespace mote::vfio
