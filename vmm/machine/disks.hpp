// SPDX-License-Identifier: Apache-2.0
// The machine's disks, each with its image.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/event_loop.hpp"
#include "core/guest_memory.hpp"
#include "core/metrics.hpp"
#include "core/result.hpp"
#include "devices/virtio/block/block.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// Owns the disks. Made before the first vCPU and the loops run.
class Disks {
 public:
  /// `images` are those of `config.blocks`. `memory` and the loops outlive the disks.
  static Result<Disks> create(const VmConfig& config, std::vector<virtio::BlockImage> images,
                              const GuestMemory& memory, std::span<EventLoop* const> loops);

  /// In the order in which the guest sees them.
  std::span<const std::unique_ptr<virtio::Block>> devices() const { return blocks_; }
  /// The disk that the configuration calls `id`; null when there is none.
  virtio::Block* find(std::string_view id) const;
  /// Shows what each of them counts. Any thread.
  void collect(MetricsSink& sink) const;
  /// See virtio::Block. Any thread.
  void look_at_sizes();

 private:
  std::vector<std::unique_ptr<virtio::Block>> blocks_;
};

}  // namespace mote
