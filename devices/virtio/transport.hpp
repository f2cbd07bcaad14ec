// SPDX-License-Identifier: Apache-2.0
// What all transports of a device have in common: status, features, queues and the reasons for an
// interrupt [Virtio 1.2 2, 3.1]. How a driver reaches them is the transport's business.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "core/guest_memory.hpp"
#include "devices/virtio/device.hpp"
#include "devices/virtio/drain.hpp"

namespace mote::virtio {

/// One device under its driver. Accesses come from vCPU threads, events from the device's loops.
///
/// A reset does not return to the driver before all of the device's requests have ended, for
/// Linux's driver does not wait for the status to read 0 [Virtio 1.2 2.4.2]. The vCPU thread waits;
/// `abandon` ends such waits when the machine is stopped.
///
/// Locks: one for the registers, below it one for the interrupt, under which it is driven.
class Transport : private DeviceEvents {
 public:
  /// What the driver has set for one queue.
  struct QueueState {
    QueueLayout layout;
    bool ready = false;
    QueuePosition position;  ///< where it stood when it was stopped
    bool operator==(const QueueState&) const = default;
  };

  /// All that the guest can change here; plain data. Saved while the queues are at rest.
  struct State {
    u32 status = 0;
    u32 device_features_word = 0;
    u32 driver_features_word = 0;
    u64 driver_features = 0;
    u32 selected_queue = 0;
    u32 interrupt_status = 0;
    bool config_changed_early = false;  ///< before DRIVER_OK: the driver has not been told yet
    std::vector<QueueState> queues;
    bool operator==(const State&) const = default;
  };

  ~Transport() override = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// Ends every wait for requests, now and from now on; registers take nothing more. Before the
  /// vCPUs are waited for: the thread that would complete the requests may be the one that waits
  /// for the vCPUs. Any thread.
  void abandon();

  /// Brings all queues to rest, and lets them go on where they stood. No vCPU runs.
  void pause();
  void resume();

 protected:
  /// Reasons for an interrupt.
  static constexpr u32 kUsedBuffer = 1;
  static constexpr u32 kConfigChange = 2;

  /// What registers that stand for several are about.
  struct Selection {
    u32 device_features_word = 0;
    u32 driver_features_word = 0;
    u32 queue = 0;
  };

  /// `memory` and `device` outlive the transport.
  Transport(const GuestMemory& memory, Device& device);

  Device& device() const { return device_; }

  /// There is a reason for an interrupt: kUsedBuffer of `queue`, or kConfigChange. Driven each
  /// time, also when there was one. Under the interrupt's lock, on any thread.
  virtual void interrupt(u32 reason, u32 queue) = 0;
  /// There is none any more. Likewise.
  virtual void end_interrupt() = 0;
  u32 reasons() const;
  /// Takes these reasons away. Returns those that there were.
  u32 acknowledge(u32 reasons);
  [[nodiscard]] std::unique_lock<std::mutex> lock_interrupt() const {
    return std::unique_lock(interrupt_lock_);
  }

  /// What follows is done with the lock held.
  [[nodiscard]] std::unique_lock<std::mutex> lock() const { return std::unique_lock(lock_); }
  /// Queues whose rest nobody waited for must not be touched again; the guest ends in any case.
  bool is_abandoned() const { return drain_.is_abandoned(); }
  Selection& selection() { return selection_; }
  u32 status() const;
  /// Takes a status: adds bits as far as the device agrees, 0 resets.
  void write_status(u32 value);
  /// The selected word of what is offered, and of what the driver took; zero past the second.
  u32 device_features() const;
  u32 driver_features() const;
  void write_driver_features(u32 value);
  /// The selected queue; null when there is none.
  const QueueState* selected() const;
  /// The layout of the selected queue, unless it is in use: then it must not be moved.
  QueueLayout* movable();
  /// Before DRIVER_OK a queue is only marked; later it starts at once (2.6.1.2). Taking the mark
  /// away from a queue that runs stops it. Precondition: a queue is selected.
  void set_queue_ready(bool ready);
  /// Resets the selected queue, if there is one and VIRTIO_F_RING_RESET was negotiated (2.6.1).
  void reset_selected_queue();

  /// Precondition: paused.
  State save() const;
  /// Takes any State; what is not possible is dropped or leaves the device broken. Precondition:
  /// paused. Does not touch the interrupt: its level is part of the interrupt controllers' state.
  void restore(const State& state);

 private:
  struct RunningQueue : QueueState {
    bool started = false;
  };

  void on_used(u32 queue) override { raise(kUsedBuffer, queue); }
  void on_config_changed() override { raise(kConfigChange, 0); }
  void on_broken() override;

  void reset_queue(RunningQueue& queue);
  void reset();
  void start_queue(u32 index);
  void start_ready_queues();
  bool stop_queues();
  u64 offered_features() const;
  bool is_acceptable(u64 features) const;
  void set_live(bool live);
  void raise(u32 reason, u32 queue);

  const GuestMemory& memory_;
  Device& device_;
  Drain drain_;

  mutable std::mutex lock_;  // guards the registers
  u32 status_ = 0;
  Selection selection_;
  u64 driver_features_ = 0;
  std::vector<RunningQueue> queues_;
  std::atomic<bool> broken_{false};

  mutable std::mutex interrupt_lock_;  // guards the reasons and what shows them
  u32 interrupt_status_ = 0;
  bool live_ = false;  // DRIVER_OK is set: the driver may be interrupted
  bool config_changed_early_ = false;
};

}  // namespace mote::virtio
