// SPDX-License-Identifier: Apache-2.0
// Counts and outputs of an 8254's counter as functions of time; see pit_channel.hpp.
#include "devices/minimal/pit_channel.hpp"

#include <algorithm>

namespace mote {
namespace {

constexpr u64 kSecond = 1'000'000'000;
/// Far more than a machine runs, and small enough for the arithmetic below.
constexpr u64 kLongest = u64{1} << 60;

constexpr u8 kAccessLow = 1;
constexpr u8 kAccessHigh = 2;
constexpr u8 kAccessBoth = 3;

constexpr u64 to_ticks(u64 ns) {
  return ns / kSecond * PitChannel::kFrequencyHz +
         ns % kSecond * PitChannel::kFrequencyHz / kSecond;
}
/// The first nanosecond at which `ticks` have passed.
constexpr u64 to_ns(u64 ticks) {
  constexpr u64 kHz = PitChannel::kFrequencyHz;
  return ticks / kHz * kSecond + (ticks % kHz * kSecond + kHz - 1) / kHz;
}

constexpr u32 from_bcd(u32 value) {
  return value % 16 + value / 16 % 16 * 10 + value / 256 % 16 * 100 + value / 4096 % 16 * 1000;
}
constexpr u32 to_bcd(u32 value) {
  return value % 10 + value / 10 % 10 * 16 + value / 100 % 10 * 256 + value / 1000 % 10 * 4096;
}

}  // namespace

void PitChannel::write_control(u8 value, u64 now) {
  const bool gate = state_.gate;
  state_ = State{};
  state_.gate = gate;
  state_.access = (value >> 4) & 3;
  state_.mode = (value >> 1) & 7;
  if (state_.mode > 5) state_.mode &= 3;  // 6 and 7 are 2 and 3
  state_.bcd = (value & 1) != 0;
  origin_ = now;
}

void PitChannel::write_count(u8 value, u64 now) {
  if (state_.access == kAccessLow) {
    load(value, now);
  } else if (state_.access == kAccessHigh) {
    load(static_cast<u16>(value << 8), now);
  } else if (!state_.write_high_next) {
    state_.low_written = value;
    state_.write_high_next = true;
    if (state_.mode == 0) state_.loaded = false;  // the first byte stops the count
  } else {
    state_.write_high_next = false;
    load(static_cast<u16>(state_.low_written | value << 8), now);
  }
}

void PitChannel::load(u16 count, u64 now) {
  state_.written = count;
  state_.loaded = true;
  if (is_triggered_mode()) return;
  state_.count = count;
  state_.elapsed_ns = 0;
  origin_ = now;
}

void PitChannel::set_gate(bool high, u64 now) {
  if (high == state_.gate) return;
  state_.elapsed_ns = elapsed_ns(now);
  state_.gate = high;
  if (high && is_triggered_mode() && state_.loaded) {
    state_.count = state_.written;
    state_.triggered = true;
  }
  // Modes 0 and 4 go on where they stopped; in the others a rising gate starts the period anew.
  if (high && state_.mode != 0 && state_.mode != 4) state_.elapsed_ns = 0;
  origin_ = now - state_.elapsed_ns;
}

/// Counts in one period or shot; the count 0 stands for the largest.
u64 PitChannel::period() const {
  const u64 count = state_.bcd ? from_bcd(state_.count) : state_.count;
  if (count == 0) return state_.bcd ? 10'000 : 65'536;
  return count;
}

bool PitChannel::counts() const {
  return is_triggered_mode() ? state_.triggered : state_.loaded;
}

/// The gate stops the count except in the triggered modes, where it only starts it.
u64 PitChannel::elapsed_ns(u64 now) const {
  if (!state_.gate && !is_triggered_mode()) return state_.elapsed_ns;
  return std::min(now - origin_, kLongest);
}

u64 PitChannel::ticks(u64 now) const {
  return to_ticks(elapsed_ns(now));
}

bool PitChannel::output(u64 now) const {
  if (!counts()) return state_.mode != 0;
  const u64 passed = ticks(now);
  switch (state_.mode) {
    case 0:
    case 1:
      return passed >= period();
    case 2:
      return !state_.gate || passed % period() != period() - 1;
    case 3:
      return !state_.gate || passed % period() < (period() + 1) / 2;
    default:
      return passed != period();  // 4 and 5: low for one tick at the end
  }
}

std::optional<u64> PitChannel::until_rise(u64 now) const {
  const bool paused = !state_.gate && !is_triggered_mode();
  if (!counts() || paused) return std::nullopt;
  const u64 passed = ticks(now);
  u64 rise = 0;
  switch (state_.mode) {
    case 0:
    case 1:
      rise = period();
      break;
    case 2:
    case 3:
      rise = (passed / period() + 1) * period();
      break;
    default:
      rise = period() + 1;
      break;
  }
  if (passed >= rise) return std::nullopt;
  return to_ns(rise) - elapsed_ns(now);
}

u16 PitChannel::current_count(u64 now) const {
  if (!counts()) return state_.written;
  const u64 passed = ticks(now);
  const u64 wrap = state_.bcd ? 10'000 : 65'536;
  u64 count = 0;
  switch (state_.mode) {
    case 2:
      count = period() - passed % period();
      break;
    case 3:  // counts by two, twice per period
      count = period() - 2 * passed % period();
      break;
    default:
      count = (wrap + period() - passed % wrap) % wrap;
      break;
  }
  const u32 shown = static_cast<u32>(count % wrap);
  return static_cast<u16>(state_.bcd ? to_bcd(shown) : shown);
}

/// A second latch before the first is read changes nothing.
void PitChannel::latch_count(u64 now) {
  if (state_.latched_bytes != 0) return;
  state_.latched_count = current_count(now);
  state_.latched_bytes = state_.access == kAccessBoth ? 2 : 1;
}

void PitChannel::latch_status(u64 now) {
  if (state_.status_latched) return;
  const u32 status = (output(now) ? 1u << 7 : 0u) | (state_.loaded ? 0u : 1u << 6) |
                     u32{state_.access} << 4 | u32{state_.mode} << 1 | (state_.bcd ? 1u : 0u);
  state_.latched_status = static_cast<u8>(status);
  state_.status_latched = true;
}

u8 PitChannel::read_count(u64 now) {
  if (state_.status_latched) {
    state_.status_latched = false;
    return state_.latched_status;
  }
  const u16 count = state_.latched_bytes != 0 ? state_.latched_count : current_count(now);
  if (state_.latched_bytes != 0) --state_.latched_bytes;
  bool high = state_.access == kAccessHigh;
  if (state_.access == kAccessBoth) {
    high = state_.read_high_next;
    state_.read_high_next = !high;
  }
  return static_cast<u8>(high ? count >> 8 : count);
}

PitChannel::State PitChannel::save(u64 now) const {
  State state = state_;
  state.elapsed_ns = elapsed_ns(now);
  return state;
}

void PitChannel::restore(const State& state, u64 now) {
  state_ = state;
  state_.mode = std::min<u8>(state.mode, 5);
  if (state.access == 0 || state.access > kAccessBoth) state_.access = kAccessBoth;
  state_.latched_bytes = std::min<u8>(state.latched_bytes, 2);
  state_.elapsed_ns = std::min(state.elapsed_ns, kLongest);
  origin_ = now - state_.elapsed_ns;
}

}  // namespace mote
