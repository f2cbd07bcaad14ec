// SPDX-License-Identifier: Apache-2.0
// virtio over MMIO, version 2 [Virtio 1.2 4.2]: the registers by which a driver finds and drives a
// device. Knows nothing of the device's type.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <vector>

#include "core/bus.hpp"
#include "core/guest_memory.hpp"
#include "core/irq_line.hpp"
#include "devices/virtio/device.hpp"
#include "devices/virtio/drain.hpp"

namespace mote::virtio {

/// The registers of one device. Accesses come from vCPU threads, events from the device's loops.
///
/// A reset does not return to the driver before all of the device's requests have ended, for
/// Linux's driver does not wait for the status to read 0 [Virtio 1.2 2.4.2]. The vCPU thread waits;
/// `abandon` ends such waits when the machine is stopped.
///
/// Locks: one for the registers, below it one for the interrupt, under which the line is driven.
class MmioTransport final : public IoDevice, private DeviceEvents {
 public:
  static constexpr u64 kSize = 0x1000;
  /// Where the driver writes the number of a queue that it has filled.
  static constexpr u64 kQueueNotify = 0x050;

  /// What the driver has set for one queue.
  struct QueueState {
    QueueLayout layout;
    bool ready = false;
    QueuePosition position;  ///< where it stood when it was stopped
    bool operator==(const QueueState&) const = default;
  };

  /// All that the guest can change; plain data. Saved while the queues are at rest.
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

  /// `memory`, `device` and `line` outlive the transport.
  MmioTransport(const GuestMemory& memory, Device& device, IrqLine& line);

  std::string_view name() const override { return device_.name(); }
  void read(u64 offset, std::span<std::byte> data) override;
  void write(u64 offset, std::span<const std::byte> data) override;

  /// Ends every wait for requests, now and from now on; registers take nothing more. Before the
  /// vCPUs are waited for: the thread that would complete the requests may be the one that waits
  /// for the vCPUs. Any thread.
  void abandon();

  /// Brings all queues to rest, and lets them go on where they stood. No vCPU runs.
  void pause();
  void resume();
  /// Precondition: paused.
  State save() const;
  /// Takes any State; what is not possible is dropped or leaves the device broken. Precondition:
  /// paused. Does not touch the interrupt line: its level is part of the interrupt controllers'
  /// state.
  void restore(const State& state);

 private:
  struct RunningQueue : QueueState {
    bool started = false;
  };

  void on_used() override { raise(kUsedBuffer); }
  void on_config_changed() override { raise(kConfigChange); }
  void on_broken() override;

  u32 read_register(u64 offset);
  void write_register(u64 offset, u32 value);
  void write_status(u32 value);
  void write_queue_register(u64 offset, u32 value);
  void set_queue_ready(RunningQueue& queue, bool ready);
  void reset_queue(RunningQueue& queue);
  void reset();
  void start_queue(u32 index);
  void start_ready_queues();
  bool stop_queues();
  RunningQueue* selected();
  u32 status() const;
  u64 offered_features() const;
  bool is_acceptable(u64 features) const;
  void set_live(bool live);
  void raise(u32 reason);
  void acknowledge(u32 reasons);

  static constexpr u32 kUsedBuffer = 1;
  static constexpr u32 kConfigChange = 2;

  const GuestMemory& memory_;
  Device& device_;
  IrqLine& line_;
  Drain drain_;

  mutable std::mutex lock_;  // guards the registers
  u32 status_ = 0;
  u32 device_features_word_ = 0;
  u32 driver_features_word_ = 0;
  u64 driver_features_ = 0;
  u32 selected_queue_ = 0;
  std::vector<RunningQueue> queues_;
  std::atomic<bool> broken_{false};

  mutable std::mutex interrupt_lock_;  // guards the reasons and the line that shows them
  u32 interrupt_status_ = 0;
  bool live_ = false;  // DRIVER_OK is set: the driver may be interrupted
  bool config_changed_early_ = false;
};

}  // namespace mote::virtio
