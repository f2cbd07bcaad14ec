// SPDX-License-Identifier: Apache-2.0
// The devices of the host that a VM has, from their files to their place in the guest.
#pragma once

#include <memory>
#include <vector>

#include "core/result.hpp"
#include "devices/vfio/address_space.hpp"
#include "devices/vfio/function.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/machine/board.hpp"
#include "vmm/machine/prepared_vm.hpp"

namespace mote {

/// The three steps of a start, in their order. They live as long as the VM does, and end before its
/// memory.
class PassedDevices {
 public:
  PassedDevices() = default;
  /// Takes the devices that `config` names from the host.
  static Result<PassedDevices> open(const VmConfig& config);

  bool empty() const { return functions_.empty(); }
  /// Lets the devices reach the memory of `vm` and tells KVM of them. Before the lock-in: the
  /// process may be allowed to lock memory only until then.
  Result<void> reach(PreparedVm& vm) const;
  /// Puts them on the PCI bus of `board`, their memory and their interrupts into `vm`. Before the
  /// first vCPU runs.
  Result<void> plug_in(Board& board, kvm::Vm& vm) const;

 private:
  std::unique_ptr<vfio::AddressSpace> space_;  // none where there are no devices
  std::vector<std::unique_ptr<vfio::Function>> functions_;
};

}  // namespace mote
