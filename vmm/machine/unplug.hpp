// SPDX-License-Identifier: Apache-2.0
// How devices of the host leave a running guest: asked for, or without being asked.
#pragma once

#include <array>
#include <atomic>
#include <optional>

#include "core/event_loop.hpp"
#include "core/result.hpp"
#include "core/thread.hpp"
#include "core/thread_role.hpp"
#include "devices/pci/unplug.hpp"
#include "vmm/kvm/vm.hpp"
#include "vmm/machine/board.hpp"
#include "vmm/machine/passed_devices.hpp"

namespace mote {

/// Where a device of the host is in its life.
enum class PassedState : u8 {
  kAttached,
  kAsked,  ///< the guest has been asked to give it back
  kGone,   ///< the host has it again
};

/// A guest that is asked takes its driver off the device and ejects it, in its own time or never;
/// it may also eject what nobody has asked for. A thread takes it away then, which does nothing
/// else: to close a device is to wait for its reset, and takes calls that no other thread needs.
class Unplug final : private pci::EjectSink {
 public:
  /// All outlive this; `devices` are on the bus of `board`, and `loop` drives its lines. `on_gone`
  /// is called on the thread, with the position of a device that the host has again.
  Unplug(PassedDevices& devices, Board& board, const kvm::Vm& vm, EventLoop& loop);
  ~Unplug() override;

  /// Before `start`; else nobody is told.
  void set_listener(Completion on_gone) { on_gone_ = on_gone; }
  /// Starts the thread and has `seal` confine it. Before the first vCPU runs.
  Result<void> start(ThreadSeal seal);

  // Once the loops run; any thread. `device` is a position in the configuration.

  /// Asks the guest for `device`; once more, if it was before. Nothing if it is gone.
  void ask(std::size_t device);
  /// Takes `device` without asking, and returns before it is gone.
  void take(std::size_t device);
  PassedState state(std::size_t device) const { return states_.at(device).load(); }

 private:
  void eject(u32 places) override { give(places & removable_); }
  void give(u32 orders);
  void raise_requests(i32);
  void serve();
  void give_back(u32 places);

  PassedDevices& devices_;
  Board& board_;
  const kvm::Vm& vm_;
  EventLoop& loop_;
  Completion on_gone_;
  ThreadSeal seal_ = nullptr;
  u32 removable_ = 0;  // a bit for each place on the bus
  std::array<std::atomic<PassedState>, pci::Host::kDevices> states_{};
  std::atomic<u32> requests_{0};  // places to ask for
  std::atomic<u32> orders_{0};    // places to take away
  std::atomic<bool> ready_{false};
  std::optional<Result<void>> sealed_;  // when ready_
  Thread thread_;                       // last: joined before the rest goes
};

}  // namespace mote
