// SPDX-License-Identifier: Apache-2.0
// What the queues of one network device share.
#pragma once

#include <atomic>

#include "core/rate_limiter.hpp"
#include "devices/virtio/net/header.hpp"
#include "devices/virtio/queue_worker.hpp"

namespace mote::virtio {

/// One device, as its queues see it. Outlives them.
struct NetDevice : QueueOwner {
  using QueueOwner::QueueOwner;

  NetRules rules;  ///< changes only while all queues are stopped
  u64 epoch = 0;   ///< counts resets; as `rules`
  std::atomic<bool> link_up{true};
  RateLimiter receive_limiter;
  RateLimiter transmit_limiter;
};

/// Frames of one queue. Written by its loop, read by anyone.
class NetCounters {
 public:
  void add_frames(u64 count) { add(frames_, count); }
  void add_dropped(u64 count) { add(dropped_, count); }
  /// Frames that reached the other side.
  u64 frames() const { return frames_.load(std::memory_order_relaxed); }
  /// Frames that were refused, by us or by the other side.
  u64 dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  /// One writer: no read-modify-write is needed.
  static void add(std::atomic<u64>& counter, u64 count) {
    counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  std::atomic<u64> frames_{0};
  std::atomic<u64> dropped_{0};
};

}  // namespace mote::virtio
