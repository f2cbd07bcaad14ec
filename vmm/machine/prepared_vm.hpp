// SPDX-License-Identifier: Apache-2.0
// A VM with its memory and vCPUs, before anything of a guest is in it: what can be made ahead.
#pragma once

#include <span>
#include <vector>

#include "core/guest_memory.hpp"
#include "core/result.hpp"
#include "vmm/arch/cpuid.hpp"
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
  /// Has the host find the pages that every image's start touches. What there is no memory for, or
  /// what an older kernel (before 5.14) cannot do, is found when it is touched.
  void touch_first_pages() const;
  /// Gives the vCPUs what they have before the first instruction, whatever that will be: CPUID,
  /// made of what the host supports and of `masks`, and MSRs. Once.
  Result<void> set_up_vcpus(arch::CpuidTable supported, std::span<const CpuidMask> masks);
  /// Runs an instruction on vCPU 0 and leaves no trace of it: what KVM makes at the first entry is
  /// there then. Behind `set_up_vcpus`, after which KVM takes no other CPUID. What fails is found
  /// when the guest runs.
  void enter_once();

  GuestMemory memory;
  kvm::Vm vm;
  std::vector<kvm::Vcpu> vcpus;
  bool vcpus_set_up = false;
};

}  // namespace mote
