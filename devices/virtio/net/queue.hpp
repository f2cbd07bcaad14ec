// SPDX-License-Identifier: Apache-2.0
// What the queues of one network device share.
#pragma once

#include <atomic>

#include "core/counter.hpp"
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

/// What one queue has done. Written by its loop, read by anyone.
struct NetCounters {
  Counter frames;   ///< that reached the other side
  Counter bytes;    ///< of these, without headers
  Counter dropped;  ///< frames that were refused, by us or by the other side

  void add_frame(u64 size) {
    frames.add();
    bytes.add(size);
  }
};

}  // namespace mote::virtio
