// SPDX-License-Identifier: Apache-2.0
// How the MSI-X vectors of a device of the host reach the vCPUs: an irqfd each, which is there only
// while the guest has the vector open.
#pragma once

#include <memory>
#include <vector>

#include "core/event_fd.hpp"
#include "core/result.hpp"
#include "devices/vfio/function.hpp"
#include "vmm/kvm/routes.hpp"

namespace mote {

/// Lines of one function. KVM looks, when it gets an irqfd, whether the eventfd was signalled
/// before: what was held back needs nothing else to be delivered.
class TriggerLines final : public vfio::TriggerLines {
 public:
  /// Makes `count` eventfds and GSIs. `vm` and `routes` outlive the lines. Before the vCPUs run.
  static Result<std::unique_ptr<TriggerLines>> create(kvm::Vm& vm, kvm::Routes& routes, u32 count);

  int fd(u32 vector) const override { return lines_.at(vector).event.fd(); }
  void set_delivering(u32 vector, bool delivering) override;
  bool take_kept(u32 vector) override { return lines_.at(vector).event.drain() != 0; }
  void set_message(u32 vector, const std::optional<MsiMessage>& message) override {
    routes_.set(lines_.at(vector).gsi, message);
  }
  void send(u32 vector) override { lines_.at(vector).event.signal(); }

 private:
  struct Line {
    u32 gsi;
    EventFd event;
  };

  TriggerLines(kvm::Vm& vm, kvm::Routes& routes) : vm_(vm), routes_(routes) {}

  kvm::Vm& vm_;
  kvm::Routes& routes_;
  std::vector<Line> lines_;
};

}  // namespace mote
