// SPDX-License-Identifier: Apache-2.0
// The VM as KVM knows it: memory slots, interrupt routes, vCPUs.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <vector>

#include "core/fd.hpp"
#include "core/guest_memory.hpp"
#include "core/result.hpp"
#include "core/types.hpp"
#include "vmm/arch/cpuid.hpp"
#include "vmm/kvm/vcpu.hpp"

namespace mote::kvm {

/// One KVM virtual machine with a split interrupt controller: local APICs in the kernel, the I/O
/// APIC ours, its 24 pins being GSI 0..23.
///
/// The order of the calls matters for the time a start takes: memory first, vCPUs next, then events
/// and routes. A memory slot set after those waits some milliseconds for the kernel (SRCU).
class Vm {
 public:
  /// Opens /dev/kvm and makes the VM with its split interrupt controller.
  static Result<Vm> create();

  /// Registers every region of `memory`, which must outlive the VM.
  Result<void> set_memory(const GuestMemory& memory);
  /// What CPUID may show a guest on this host (KVM_GET_SUPPORTED_CPUID).
  Result<std::vector<arch::CpuidEntry>> supported_cpuid() const;
  /// Makes vCPU `id`, whose local APIC has that id. Number 0 starts, the others wait for INIT/SIPI.
  Result<Vcpu> create_vcpu(u32 id);

  /// Sends an interrupt to the local APICs now. Any thread.
  void signal_msi(const MsiMessage& message) const;
  /// Gives pin `pin` its route, or takes it away. KVM reports the end of a level-triggered
  /// interrupt (exit kIoApicEoi) only for routes of the 24 pins. Any thread.
  void set_pin_route(u32 pin, std::optional<MsiMessage> message);

 private:
  Vm(UniqueFd system, UniqueFd vm, std::size_t run_size)
      : system_(std::move(system)), vm_(std::move(vm)), run_size_(run_size) {}
  void publish_routes();

  UniqueFd system_;
  UniqueFd vm_;
  std::size_t run_size_;  // bytes of a vCPU's kvm_run mapping
  std::array<std::optional<MsiMessage>, kPinCount> routes_;
};

}  // namespace mote::kvm
