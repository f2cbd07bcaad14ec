// SPDX-License-Identifier: Apache-2.0
// One of the three counters of an 8254, computed from the time. Pure: the time is passed in, the
// Pit holds the lock.
#pragma once

#include <optional>

#include "core/types.hpp"

namespace mote {

/// A counter of an 8254 [Intel 231164-005]. Nothing counts here: count and output follow from how
/// long ago the count was loaded. Times are nanoseconds of one monotonic clock.
///
/// LIMIT: a new count takes effect at once in all modes but the triggered ones (1 and 5), where the
/// next trigger takes it.
class PitChannel {
 public:
  static constexpr u64 kFrequencyHz = 1'193'182;

  /// All that the guest can change, with times relative to now; plain data.
  struct State {
    u8 access = 3;  ///< 1 low byte, 2 high byte, 3 both in turn
    u8 mode = 0;    ///< 0..5
    bool bcd = false;
    bool gate = true;
    bool loaded = false;     ///< a count was written since the last control word
    bool triggered = false;  ///< the gate has risen since; matters in modes 1 and 5
    bool write_high_next = false;
    bool read_high_next = false;
    bool status_latched = false;
    u8 low_written = 0;
    u8 latched_status = 0;
    u8 latched_bytes = 0;  ///< how many bytes of `latched_count` are yet to be read
    u16 latched_count = 0;
    u16 written = 0;     ///< the count as written
    u16 count = 0;       ///< the count in use, as written
    u64 elapsed_ns = 0;  ///< since it was loaded or triggered, pauses left out
    bool operator==(const State&) const = default;
  };

  explicit PitChannel(bool gate) { state_.gate = gate; }

  void write_control(u8 value, u64 now);
  void write_count(u8 value, u64 now);
  u8 read_count(u64 now);
  void latch_count(u64 now);
  void latch_status(u64 now);
  void set_gate(bool high, u64 now);

  bool gate() const { return state_.gate; }
  bool output(u64 now) const;
  /// Time from `now` until the output next rises; nothing when it will not.
  std::optional<u64> until_rise(u64 now) const;

  State save(u64 now) const;
  /// Takes any State.
  void restore(const State& state, u64 now);

 private:
  bool is_triggered_mode() const { return state_.mode == 1 || state_.mode == 5; }
  bool counts() const;
  u64 period() const;
  u64 elapsed_ns(u64 now) const;
  u64 ticks(u64 now) const;
  u16 current_count(u64 now) const;
  void load(u16 count, u64 now);

  State state_;     // its elapsed_ns counts only while paused
  u64 origin_ = 0;  // when elapsed time was 0; modulo 2^64
};

}  // namespace mote
