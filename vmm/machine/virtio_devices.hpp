// SPDX-License-Identifier: Apache-2.0
// What the machine's virtio devices have in common, disks and network interfaces alike: a place
// each, what the guest is told of it, the loops that serve them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/event_loop.hpp"
#include "core/guest_memory.hpp"
#include "core/result.hpp"
#include "devices/virtio/device.hpp"
#include "devices/virtio/transport.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/kvm/vm.hpp"
#include "vmm/machine/board.hpp"

namespace mote {

/// How many there are: the disks first, then the network interfaces. Pure.
u32 virtio_device_count(const VmConfig& config);

/// How many of them are reached by mmio. Pure.
u32 mmio_device_count(const VmConfig& config);

/// How many loops serve them, the first one included, which is there in any case. Pure.
u32 loop_count(const VmConfig& config);

/// What each of the loops has to be made for. Pure.
LoopOptions loop_options(const VmConfig& config);
/// The same for a machine whose devices are not known yet: as many as there may be, of `machine`'s
/// ways. Pure.
LoopOptions most_loop_options(const MachineConfig& machine);

/// The words that tell a guest of its devices: where those by mmio are, unless ACPI does that, and
/// which disk is the root. What is on the PCI bus it finds by itself. Pure.
std::vector<std::string> virtio_words(const VmConfig& config, bool announced_by_acpi);

/// Owns the transports, and with them the way between the devices and the guest: kicks and
/// interrupts pass by without an exit to us.
class VirtioTransports {
 public:
  /// Gives `device`, which outlives this, the next place of `transport` and connects it to KVM.
  /// After the vCPUs have been made, before they and the loops run.
  Result<void> attach(virtio::Device& device, Transport transport, Board& board, kvm::Vm& vm,
                      const GuestMemory& memory);
  /// See virtio::Transport. Any thread.
  void abandon();
  /// Likewise, each of them: no vCPU runs, the loops do.
  void pause();
  void resume();

 private:
  Result<void> attach_mmio(virtio::Device& device, Board& board, kvm::Vm& vm,
                           const GuestMemory& memory);
  Result<void> attach_pci(virtio::Device& device, Board& board, kvm::Vm& vm,
                          const GuestMemory& memory);

  std::vector<std::unique_ptr<virtio::Transport>> transports_;
  u32 mmio_count_ = 0;
};

}  // namespace mote
