// SPDX-License-Identifier: Apache-2.0
// A VM with its memory and vCPUs, before anything of a guest is in it: what can be made ahead.
#pragma once

#include <vector>

#include "core/guest_memory.hpp"
#include "core/result.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/kvm/system.hpp"
#include "vmm/kvm/vcpu.hpp"
#include "vmm/kvm/vm.hpp"
#include "vmm/machine/timeline.hpp"

namespace mote {

/// ORDER: guest RAM outlives the VM that has it mapped.
struct PreparedVm {
  /// Makes guest RAM for `vm`, which has nothing yet, and the vCPUs. In this order, because a
  /// memory slot that is set after vCPUs and events costs milliseconds.
  static Result<PreparedVm> create(const MachineConfig& config, kvm::Vm vm, Timeline& timeline);

  GuestMemory memory;
  kvm::Vm vm;
  std::vector<kvm::Vcpu> vcpus;
};

}  // namespace mote
