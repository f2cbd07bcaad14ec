// SPDX-License-Identifier: Apache-2.0
// Queues on their way to rest, and the thread that waits for them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "core/types.hpp"
#include "devices/virtio/device.hpp"

namespace mote::virtio {

/// Counts queues that have been stopped and still have buffers of the guest in use. One thread
/// waits; the others' calls come from any thread.
class Drain final : public Countdown {
 public:
  /// One more `arrive` will come.
  void expect();
  void arrive() override;
  /// Waits for all that was expected. False when it was abandoned first: buffers may be in use.
  bool wait();
  /// The same, false also when `time` has passed.
  bool wait_for(std::chrono::milliseconds time);
  /// Ends every wait, now and from now on.
  void abandon();
  bool is_abandoned() const;

 private:
  mutable std::mutex lock_;
  std::condition_variable changed_;
  u32 pending_ = 0;
  bool abandoned_ = false;
};

}  // namespace mote::virtio
