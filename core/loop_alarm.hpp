// SPDX-License-Identifier: Apache-2.0
// LoopAlarm: an Alarm whose handler runs on an event loop. Makes its timerfd when it is armed
// first.
#pragma once

#include <mutex>

#include "core/alarm.hpp"
#include "core/event_loop.hpp"
#include "core/fd.hpp"

namespace mote {

/// Must outlive the loop's last turn.
class LoopAlarm final : public Alarm {
 public:
  explicit LoopAlarm(EventLoop& loop) : loop_(loop) {}
  /// Whom to call. Once, before the first `arm`.
  void set_handler(AlarmHandler& handler) { handler_ = &handler; }

  u64 now_ns() const override;
  void arm(u64 deadline_ns) override;
  void cancel() override;

 private:
  void start_reading(i32);
  void on_expired(i32 result);

  EventLoop& loop_;
  AlarmHandler* handler_ = nullptr;
  std::mutex lock_;  // guards the making of timer_
  UniqueFd timer_;
  u64 expirations_ = 0;
};

}  // namespace mote
