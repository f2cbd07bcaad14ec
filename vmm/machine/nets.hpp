// SPDX-License-Identifier: Apache-2.0
// The machine's network interfaces, each with its tap.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/event_loop.hpp"
#include "core/guest_memory.hpp"
#include "core/metrics.hpp"
#include "core/result.hpp"
#include "devices/virtio/net/net.hpp"
#include "devices/virtio/net/tap.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// Owns the interfaces. Made before the first vCPU and the loops run.
class Nets {
 public:
  /// `taps` are those of `config.nets`. `memory` and the loops outlive the interfaces.
  static Result<Nets> create(const VmConfig& config, std::vector<std::unique_ptr<virtio::Tap>> taps,
                             const GuestMemory& memory, std::span<EventLoop* const> loops);

  /// In the order in which the guest sees them.
  std::span<const std::unique_ptr<virtio::Net>> devices() const { return nets_; }
  /// The interface that the configuration calls `id`; null when there is none.
  virtio::Net* find(std::string_view id) const;
  /// Shows what each of them counts. Any thread.
  void collect(MetricsSink& sink) const;

 private:
  std::vector<std::unique_ptr<virtio::Net>> nets_;
};

}  // namespace mote
