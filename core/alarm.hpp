// SPDX-License-Identifier: Apache-2.0
// Alarm: a one-shot timer as devices see it, so that they can be tested with a clock of the test's
// own.
#pragma once

#include "core/types.hpp"

namespace mote {

/// Whoever armed an Alarm is called back once, on the event loop's thread, when its time has come.
class AlarmHandler {
 public:
  virtual ~AlarmHandler() = default;
  virtual void on_alarm() = 0;
};

/// A one-shot timer on CLOCK_MONOTONIC. Any thread may arm and cancel. A call that is under way
/// while the alarm is armed anew or cancelled may still arrive: handlers check the time themselves.
class Alarm {
 public:
  virtual ~Alarm() = default;
  /// Now, in nanoseconds of CLOCK_MONOTONIC.
  virtual u64 now_ns() const = 0;
  /// Calls the handler at `deadline_ns` (at once when that has passed); replaces an earlier
  /// deadline.
  virtual void arm(u64 deadline_ns) = 0;
  virtual void cancel() = 0;
};

}  // namespace mote
