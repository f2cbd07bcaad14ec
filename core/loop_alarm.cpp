// SPDX-License-Identifier: Apache-2.0
#include "core/loop_alarm.hpp"

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/clock.hpp"
#include "core/log.hpp"

namespace mote {
u64 LoopAlarm::now_ns() const {
  return clock_ns(CLOCK_MONOTONIC);
}

void LoopAlarm::arm(u64 deadline_ns) {
  const std::lock_guard lock(lock_);
  if (!timer_) {
    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    if (!timer_) {
      // The guest may arm as often as it likes.
      static LogLimiter limiter;
      limiter.log(LogLevel::kError,
                  "cannot create a timer: %s -- the guest's timer stands still; raise the limit of "
                  "open files (ulimit -n)",
                  strerrorname_np(errno));
      return;
    }
    loop_.post(Completion::to<&LoopAlarm::start_reading>(this));
  }
  const u64 deadline = std::max<u64>(deadline_ns, 1);  // 0 would disarm
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(deadline / kNsPerSecond);
  when.it_value.tv_nsec = static_cast<long>(deadline % kNsPerSecond);
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void LoopAlarm::cancel() {
  const std::lock_guard lock(lock_);
  if (!timer_) return;
  const itimerspec never{};
  ::timerfd_settime(timer_.get(), 0, &never, nullptr);
}

void LoopAlarm::start_reading(i32) {
  loop_.read(timer_.get(), std::as_writable_bytes(std::span(&expirations_, 1)),
             Completion::to<&LoopAlarm::on_expired>(this));
}

void LoopAlarm::on_expired(i32 result) {
  if (result == -ECANCELED) return;
  start_reading(0);
  if (result > 0 && handler_ != nullptr) handler_->on_alarm();
}

}  // namespace mote
