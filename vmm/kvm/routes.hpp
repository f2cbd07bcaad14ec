// SPDX-License-Identifier: Apache-2.0
// KVM's routing table: what message each interrupt number (GSI) of the VM stands for.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "core/result.hpp"
#include "core/types.hpp"
#include "vmm/kvm/vm.hpp"

namespace mote::kvm {

/// GSI 0..23 are the pins of the I/O APIC; those behind them are added one by one at the start. KVM
/// takes the table as a whole: it gets one when something in it has changed, and none before.
///
/// One lock, last in the order.
class Routes {
 public:
  /// `vm` outlives this.
  explicit Routes(const Vm& vm) : vm_(vm), routes_(kPinCount) {}

  /// One more GSI, without a route. An Error: KVM's table has no more. Before the guest runs.
  Result<u32> add();
  /// Gives `gsi`, which is a pin or was added, its route, or takes it away. KVM reports the end of
  /// a level-triggered interrupt (exit kIoApicEoi) only for routes of the 24 pins. Any thread.
  void set(u32 gsi, const std::optional<MsiMessage>& message);

 private:
  const Vm& vm_;
  std::mutex lock_;
  std::vector<std::optional<MsiMessage>> routes_;
  std::vector<std::byte> table_;  // as KVM takes it; kept for its room
};

}  // namespace mote::kvm
