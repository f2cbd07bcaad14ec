// SPDX-License-Identifier: Apache-2.0
// One queue of a device on its event loop: from `start` to `stop`, kicks in, interrupts out. What
// the queues of all devices have in common.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/counter.hpp"
#include "core/event_fd.hpp"
#include "core/event_loop.hpp"
#include "core/guest_memory.hpp"
#include "core/log.hpp"
#include "core/loop_alarm.hpp"
#include "core/rate_limiter.hpp"
#include "devices/virtio/chain.hpp"
#include "devices/virtio/device.hpp"
#include "devices/virtio/queue.hpp"

namespace mote::virtio {

/// What all queues of one device share. Outlives them.
struct QueueOwner {
  explicit QueueOwner(const GuestMemory& guest_memory) : memory(guest_memory) {}

  const GuestMemory& memory;
  std::string title;  ///< the device in messages: "disk root"
  DeviceEvents* events = nullptr;
  LogLimiter log_limiter;
};

class QueueWorker;

/// The driver's notifications of one queue number, read on a loop. Which worker serves that number
/// may depend on what was negotiated.
class QueueKick {
 public:
  /// `loop` outlives it.
  QueueKick(EventLoop& loop, EventFd kick) : loop_(loop), kick_(std::move(kick)) {}
  QueueKick(const QueueKick&) = delete;
  QueueKick& operator=(const QueueKick&) = delete;

  EventLoop& loop() const { return loop_; }
  int fd() const { return kick_.fd(); }
  /// Notifications are for `worker` from now on. On the loop's thread.
  void aim_at(QueueWorker& worker);

 private:
  void read();
  void on_kick(i32 result);

  EventLoop& loop_;
  const EventFd kick_;
  u64 count_ = 0;
  QueueWorker* worker_ = nullptr;  // set: a read is in flight
};

/// Serves one queue from `start` to `stop`, as often as the driver likes. While it is awake it
/// looks at the available ring itself, and the driver is asked not to notify. What has ended by the
/// next look is published with one interrupt.
class QueueWorker : protected LoopWorker, private AlarmHandler {
 public:
  /// Serves on the loop of `kick`. `owner` outlives the queue.
  QueueWorker(QueueOwner& owner, std::shared_ptr<QueueKick> kick);
  QueueWorker(const QueueWorker&) = delete;
  QueueWorker& operator=(const QueueWorker&) = delete;

  /// See Device. Any thread, one at a time.
  void start(u32 index, const Queue& queue);
  void stop(Countdown& rested);
  QueuePosition position() const { return queue_->position(); }
  int kick_fd() const { return kick_->fd(); }
  /// A rate limit has changed: what waits for it asks again. Any thread.
  void limits_changed();
  /// How often the queue had to wait for a rate limit. Any thread.
  u64 throttled() const { return throttled_.value(); }

 protected:
  /// The queue begins. Makes what is needed for its size; false, after a message: it cannot.
  virtual bool begin_queue() = 0;
  /// Takes what is available, in a bounded piece. True when there was anything.
  virtual bool serve() = 0;
  /// Whether more from the driver would be of use now: else it is not asked to notify.
  virtual bool wants_more() const = 0;
  /// The queue is to end: lets go of the guest's memory as soon as can be.
  virtual void end_queue() {}
  /// Whether no memory of the guest is in use.
  virtual bool is_idle() const = 0;

  EventLoop& loop() const { return loop_; }
  /// Precondition: between `begin_queue` and the end of `end_queue`.
  Queue& queue() { return *queue_; }
  const Queue& queue() const { return *queue_; }
  /// A place for one chain of any length.
  Chain& chain() { return chain_; }
  bool is_running() const { return running_; }

  /// Takes the next chain into `chain`. False when there is none, or the driver broke the rules.
  bool pop(Chain& chain);
  /// Whether one more operation may be started on the loop; else the queue waits until it may.
  bool has_room();
  /// Whether the limit lets `bytes` bytes go now; else the queue waits until it does.
  bool admits(RateLimiter& limiter, u64 bytes);
  u64 now_ns() const { return alarm_.now_ns(); }
  /// There may be something to do.
  void wake() { loop_.wake(*this); }
  /// Something of the guest's is in use no more: asks for a look, or ends a stop that waits.
  void finished();
  /// What the driver made available makes no sense; nothing more is taken until a reset.
  void give_up();

 private:
  friend class QueueKick;
  bool work() override;
  bool rest() override;
  void on_alarm() override;
  void on_limits_changed(i32) { on_alarm(); }
  void on_start(i32);
  void on_stop(i32);
  void on_kick();
  void publish();
  void come_to_rest();
  bool may_take() const { return running_ && rested_ == nullptr && !broken_; }

  QueueOwner& owner_;
  EventLoop& loop_;
  const std::shared_ptr<QueueKick> kick_;

  // Handed over by `start` and `stop`.
  u32 next_index_ = 0;
  std::optional<Queue> next_queue_;
  Countdown* next_rested_ = nullptr;

  u32 index_ = 0;  // the queue's number
  std::optional<Queue> queue_;
  Countdown* rested_ = nullptr;  // set: the queue is stopping
  Chain chain_;
  bool running_ = false;
  bool broken_ = false;
  bool limited_ = false;  // the rate limit is reached: the alarm goes on
  bool starved_ = false;  // the loop is full: it wakes us
  LoopAlarm alarm_;
  Counter throttled_;
};

}  // namespace mote::virtio
