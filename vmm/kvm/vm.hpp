// SPDX-License-Identifier: Apache-2.0
// The VM as KVM knows it: memory slots, interrupts, vCPUs.
#pragma once

#include <span>

#include "core/fd.hpp"
#include "core/guest_memory.hpp"
#include "core/result.hpp"
#include "core/types.hpp"
#include "vmm/kvm/vcpu.hpp"

namespace mote::kvm {

/// One KVM virtual machine with a split interrupt controller: local APICs in the kernel, the I/O
/// APIC ours, its 24 pins being GSI 0..23.
///
/// The order of the calls matters for the time a start takes: memory first, vCPUs next, then events
/// and routes. A memory slot set after those waits some milliseconds for the kernel (SRCU).
class Vm {
 public:
  /// Takes a VM that has its split interrupt controller: see System::create_vm. `run_size` is the
  /// size in bytes of a vCPU's kvm_run mapping.
  Vm(UniqueFd vm, std::size_t run_size) : vm_(std::move(vm)), run_size_(run_size) {}

  /// Registers every region of `memory`, which must outlive the VM.
  Result<void> set_memory(const GuestMemory& memory);
  /// Makes vCPU `id`, whose local APIC has that id. Number 0 starts, the others wait for INIT/SIPI.
  Result<Vcpu> create_vcpu(u32 id);

  /// Sends an interrupt to the local APICs now. Any thread.
  void signal_msi(const MsiMessage& message) const;
  /// Replaces the routing table by `table`, a kvm_irq_routing; see Routes, which makes it. Any
  /// thread.
  void set_routes(std::span<const std::byte> table) const;

  /// Has KVM signal eventfd `fd` itself when the guest writes the 32-bit `value` at `address`: the
  /// vCPU goes on without an exit to us. After memory and vCPUs.
  Result<void> add_ioeventfd(Gpa address, u32 value, int fd);
  /// The same for whatever is written at `address`, of any width.
  Result<void> add_ioeventfd(Gpa address, int fd);
  /// Has KVM send an interrupt by the route of GSI `gsi` whenever eventfd `fd` is signalled.
  Result<void> add_irqfd(u32 gsi, int fd);
  /// No longer: what `fd` is signalled then stays there, for who reads it or adds it again. Any
  /// thread.
  Result<void> remove_irqfd(u32 gsi, int fd);

  /// One more memory slot behind those of RAM: what the device that `memory` is a mapping of has at
  /// `address`. Returns its number. The mapping outlives the VM, or the slot.
  Result<u32> add_device_memory(Gpa address, std::span<std::byte> memory);
  /// Takes slot `number` away: the guest finds nobody there. Any thread, behind the start.
  Result<void> remove_device_memory(u32 number) const;
  /// Tells KVM of the devices of the host that the guest has: how it caches their memory depends on
  /// them. Once. `files` are VFIO's, of groups or of devices; KVM keeps a reference of each.
  Result<void> add_vfio_files(std::span<const int> files);
  /// Has KVM forget one of them. Any thread, behind the start.
  Result<void> remove_vfio_file(int file) const;

 private:
  Result<void> add_slot(Gpa address, std::span<std::byte> memory);
  Result<void> set_vfio_file(u64 attribute, int file) const;
  Result<void> set_irqfd(u32 gsi, int fd, u32 flags);

  UniqueFd vm_;
  std::size_t run_size_;
  u32 slots_ = 0;  // in use
  UniqueFd vfio_;  // KVM forgets its files when it is closed
};

}  // namespace mote::kvm
