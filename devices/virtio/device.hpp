// SPDX-License-Identifier: Apache-2.0
// What a virtio device and its transport know of each other. Neither knows KVM, and a device does
// not know by which transport it is reached.
#pragma once

#include <span>
#include <string_view>

#include "core/types.hpp"
#include "devices/virtio/features.hpp"
#include "devices/virtio/queue.hpp"

namespace mote::virtio {

/// What a device tells its transport. Any thread.
class DeviceEvents {
 public:
  virtual ~DeviceEvents() = default;
  /// Queue `queue` has used buffers that the driver wants to hear of.
  virtual void on_used(u32 queue) = 0;
  /// The device's configuration space has changed.
  virtual void on_config_changed() = 0;
  /// The driver broke the rules; only a reset helps [Virtio 1.2 2.1.2].
  virtual void on_broken() = 0;
};

/// Counts down to an event that another thread waits for: queues that have come to rest.
class Countdown {
 public:
  virtual ~Countdown() = default;
  virtual void arrive() = 0;
};

/// A virtio device as its transport sees it. `start` and `stop` are called by vCPU threads, one at
/// a time (the transport's lock is held); the work is done on the threads of the queues' loops.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;
  /// Device type [Virtio 1.2 5].
  virtual u32 type() const = 0;
  /// Feature bits of the device's type; the transport adds those of queue and transport.
  virtual u64 features() const = 0;
  virtual u32 queue_count() const = 0;
  /// Largest size that the driver may give a queue; a power of two, at most kMaxQueueSize.
  virtual u16 max_queue_size() const = 0;

  /// Reads `data` from the configuration space at `offset`; bytes outside are zero.
  virtual void read_config(u64 offset, std::span<std::byte> data) = 0;
  /// The driver writes to the configuration space; what is not writable is ignored.
  virtual void write_config(u64 offset, std::span<const std::byte> data) = 0;
  /// Changes whenever the configuration space changes other than by the driver.
  virtual u32 config_generation() const = 0;

  /// Whom to tell. Once, before the first `start`.
  virtual void set_events(DeviceEvents& events) = 0;
  /// The negotiated features, when the driver has set FEATURES_OK. Before any `start`.
  virtual void set_driver_features(u64 features) = 0;
  /// Serves queue `index` from now on, beginning with a look at it: the driver's notification may
  /// have come before. Precondition: it is stopped.
  virtual void start(u32 index, const Queue& queue) = 0;
  /// Takes nothing more from queue `index` and calls `rested.arrive()` once, on the loop's thread
  /// or this one, when none of its buffers is in use any more. Precondition: it is started.
  virtual void stop(u32 index, Countdown& rested) = 0;
  /// Where queue `index` stands. Precondition: it is stopped, after a `start`.
  virtual QueuePosition position(u32 index) const = 0;
  /// Forgets what the driver has set. Precondition: all queues are stopped.
  virtual void reset() = 0;
  /// Ends what other threads wait for at the device, now and from now on: the machine is being
  /// stopped. Any thread.
  virtual void abandon() {}
  /// The eventfd that the driver's notifications of queue `index` are to signal; always the same.
  virtual int kick_fd(u32 index) const = 0;
};

}  // namespace mote::virtio
