// SPDX-License-Identifier: Apache-2.0
// The devices of the host that a VM has, from their files to their place in the guest and back.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/result.hpp"
#include "devices/vfio/address_space.hpp"
#include "devices/vfio/function.hpp"
#include "vmm/arch/pci_ssdt.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/machine/board.hpp"
#include "vmm/machine/prepared_vm.hpp"

namespace mote {

/// On the host.
std::vector<PciAddress> addresses_of(std::span<const VfioConfig> devices);

/// Where those of `config` are on the PCI bus: behind all others. Pure.
arch::PciDevices places_of_passed(const VmConfig& config);

/// The three steps of a start, in their order, and the way back. They live as long as the VM does,
/// and end before its memory. A device is named by its position in the configuration.
class PassedDevices {
 public:
  PassedDevices() = default;
  /// Takes the devices that `config` names from the host.
  static Result<PassedDevices> open(const VmConfig& config);
  /// The same, of `space`, which they have joined.
  static Result<PassedDevices> open(const VmConfig& config,
                                    std::unique_ptr<vfio::AddressSpace> space);

  /// One more, the function at `address`. Before the steps below.
  Result<void> add(const PciAddress& address, std::unique_ptr<vfio::Device> device);

  bool empty() const { return devices_.empty(); }
  std::size_t count() const { return devices_.size(); }
  /// Lets the devices reach the memory of `vm` and tells KVM of them. Before the lock-in, or with a
  /// limit of locked memory that was raised before: what it may lock the process may lose there.
  Result<void> reach(PreparedVm& vm);
  /// Puts them on the PCI bus of `board`, their memory and their interrupts into `vm`. Before the
  /// first vCPU runs.
  Result<void> plug_in(Board& board, kvm::Vm& vm);

  /// The number of `device` on the bus.
  u32 place(std::size_t device) const { return devices_.at(device).place; }
  /// Takes `device` off the bus and out of `vm`, whatever its driver in the guest thinks of it, and
  /// gives it back to the host. Waits for the kernel, which resets it. Once for each; one thread,
  /// and none that may be inside an access to it.
  void give_back(std::size_t device, Board& board, const kvm::Vm& vm);

 private:
  struct Passed {
    PciAddress address;
    std::unique_ptr<vfio::Function> function;  // null: given back
    u32 place = 0;
    std::vector<u32> memory_slots;
    const TriggerLines* lines = nullptr;
  };

  std::unique_ptr<vfio::AddressSpace> space_;  // none where there are no devices
  std::vector<Passed> devices_;
};

}  // namespace mote
