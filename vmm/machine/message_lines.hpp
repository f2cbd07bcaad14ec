// SPDX-License-Identifier: Apache-2.0
// How the MSI-X vectors of one function reach the vCPUs: an irqfd each.
#pragma once

#include <memory>
#include <vector>

#include "core/event_fd.hpp"
#include "core/result.hpp"
#include "devices/pci/function.hpp"
#include "vmm/kvm/routes.hpp"

namespace mote {

/// Lines of one function. What a vector sends is the route of its GSI; who sends it signals an
/// eventfd, and makes no other call.
class MessageLines final : public pci::MessageSink {
 public:
  /// Makes `count` eventfds, GSIs and irqfds. `vm` and `routes` outlive the lines. After the vCPUs
  /// have been made, before they run.
  static Result<std::unique_ptr<MessageLines>> create(kvm::Vm& vm, kvm::Routes& routes, u32 count);

  void set_message(u32 vector, const std::optional<MsiMessage>& message) override {
    routes_.set(lines_.at(vector).gsi, message);
  }
  void send(u32 vector) override { lines_.at(vector).event.signal(); }
  /// The eventfd that sends `vector`.
  int fd(u32 vector) const { return lines_.at(vector).event.fd(); }

 private:
  struct Line {
    u32 gsi;
    EventFd event;
  };

  explicit MessageLines(kvm::Routes& routes) : routes_(routes) {}

  kvm::Routes& routes_;
  std::vector<Line> lines_;
};

}  // namespace mote
