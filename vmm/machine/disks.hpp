// SPDX-License-Identifier: Apache-2.0
// The machine's disks: each a virtio device in a slot of its own, with kicks and interrupts that
// pass by without an exit to us.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/event_loop.hpp"
#include "core/guest_memory.hpp"
#include "core/result.hpp"
#include "devices/virtio/block.hpp"
#include "devices/virtio/mmio.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/kvm/vm.hpp"
#include "vmm/machine/board.hpp"

namespace mote {

/// What a loop has to be made for when it serves these disks.
LoopOptions loop_options(const VmConfig& config);

/// The words that tell a guest of its disks: where they are, unless ACPI does that, and which one
/// is the root. Pure.
std::vector<std::string> disk_words(const VmConfig& config, bool announced_by_acpi);

/// Owns disks and transports. Made and attached before the first vCPU and the loops run.
class Disks {
 public:
  /// Opens the images. `memory` and the loops outlive the disks.
  static Result<Disks> create(const VmConfig& config, const GuestMemory& memory,
                              std::span<EventLoop* const> loops);

  /// Puts the disks on the bus and connects them to KVM. After the vCPUs have been made.
  Result<void> attach(Board& board, kvm::Vm& vm, const GuestMemory& memory);
  /// See virtio::MmioTransport. Any thread.
  void abandon();
  /// See virtio::Block. Any thread.
  void look_at_sizes();

 private:
  std::vector<std::unique_ptr<virtio::Block>> blocks_;
  std::vector<std::unique_ptr<virtio::MmioTransport>> transports_;
};

}  // namespace mote
