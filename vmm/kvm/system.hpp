// SPDX-License-Identifier: Apache-2.0
// /dev/kvm: what KVM offers before there is a VM.
#pragma once

#include "core/fd.hpp"
#include "core/result.hpp"
#include "vmm/arch/cpuid.hpp"
#include "vmm/kvm/vm.hpp"

namespace mote::kvm {

/// The open device. Any thread; several at once.
class System {
 public:
  /// Opens /dev/kvm and checks that it speaks the API that Mote knows.
  static Result<System> open();

  /// Makes a VM with a split interrupt controller.
  Result<Vm> create_vm() const;
  /// What CPUID may show a guest on this host (KVM_GET_SUPPORTED_CPUID). Takes as long as making a
  /// VM, since the kernel asks the processor leaf by leaf.
  Result<arch::CpuidTable> supported_cpuid() const;

 private:
  explicit System(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace mote::kvm
