// SPDX-License-Identifier: Apache-2.0
// The 8254's ports and channel 0's interrupts; see pit.hpp.
#include "devices/minimal/pit.hpp"

#include <algorithm>

namespace mote {
namespace {

constexpr u16 kFirstCounter = 0x40;
constexpr u16 kLastCounter = 0x42;
constexpr u16 kControlWord = 0x43;
constexpr u16 kSystemControl = 0x61;

// Control word: which counter, how it is accessed; 3 and 0 are commands of their own.
constexpr u32 kSelectShift = 6;
constexpr u8 kSelectReadBack = 3;
constexpr u8 kAccessMask = 0x30;
constexpr u8 kReadBackNoCount = 1u << 5;
constexpr u8 kReadBackNoStatus = 1u << 4;

// Port 61h.
constexpr u8 kGate2 = 1u << 0;
constexpr u8 kWritable = 0x0f;
constexpr u8 kRefresh = 1u << 4;
constexpr u8 kOutput2 = 1u << 5;
/// The refresh bit changes with each refresh of the PC's memory; programs time short waits by it.
constexpr u64 kRefreshNs = 15'085;

}  // namespace

void Pit::attach(Bus& ports) {
  counter_window_.attach(ports);
  control_window_.attach(ports);
}

u8 Pit::read_port(u16 port) {
  const std::lock_guard guard(lock_);
  const u64 now = alarm_.now_ns();
  if (port >= kFirstCounter && port <= kLastCounter) {
    return channels_[port - kFirstCounter].read_count(now);
  }
  if (port == kSystemControl) return system_control(now);
  return 0xff;  // the control word cannot be read
}

u8 Pit::system_control(u64 now) const {
  u32 value = control_;
  if (now / kRefreshNs % 2 != 0) value |= kRefresh;
  if (channels_[2].output(now)) value |= kOutput2;
  return static_cast<u8>(value);
}

void Pit::write_port(u16 port, u8 value) {
  const std::lock_guard guard(lock_);
  const u64 now = alarm_.now_ns();
  if (port >= kFirstCounter && port <= kLastCounter) {
    channels_[port - kFirstCounter].write_count(value, now);
    if (port == kFirstCounter) schedule(now);
  } else if (port == kControlWord) {
    write_control(value, now);
  } else if (port == kSystemControl) {
    control_ = value & kWritable;
    channels_[2].set_gate((value & kGate2) != 0, now);
  }
}

void Pit::write_control(u8 value, u64 now) {
  const u32 select = value >> kSelectShift;
  if (select == kSelectReadBack) {
    read_back(value, now);
  } else if ((value & kAccessMask) == 0) {
    channels_[select].latch_count(now);
  } else {
    channels_[select].write_control(value, now);
    if (select == 0) schedule(now);
  }
}

void Pit::read_back(u8 value, u64 now) {
  for (u32 i = 0; i < channels_.size(); ++i) {
    if ((value >> (i + 1) & 1) == 0) continue;
    if ((value & kReadBackNoCount) == 0) channels_[i].latch_count(now);
    if ((value & kReadBackNoStatus) == 0) channels_[i].latch_status(now);
  }
}

/// Arms the alarm for the next interrupt, or cancels it.
void Pit::schedule(u64 now) {
  const auto wait = channels_[0].until_rise(now);
  if (wait) {
    deadline_ = std::max(now + *wait, not_before_);
    alarm_.arm(deadline_);
  } else if (deadline_ != 0) {
    deadline_ = 0;
    alarm_.cancel();
  }
}

void Pit::on_alarm() {
  const std::lock_guard guard(lock_);
  const u64 now = alarm_.now_ns();
  if (deadline_ == 0) return;  // cancelled while the call was under way
  if (now < deadline_) {       // armed anew meanwhile
    alarm_.arm(deadline_);
    return;
  }
  deadline_ = 0;
  not_before_ = now + kMinIntervalNs;
  irq_.pulse();
  schedule(now);
}

Pit::State Pit::save() const {
  const std::lock_guard guard(lock_);
  const u64 now = alarm_.now_ns();
  State state;
  for (u32 i = 0; i < channels_.size(); ++i) state.channels[i] = channels_[i].save(now);
  state.control = control_;
  return state;
}

void Pit::restore(const State& state) {
  const std::lock_guard guard(lock_);
  const u64 now = alarm_.now_ns();
  for (u32 i = 0; i < channels_.size(); ++i) channels_[i].restore(state.channels[i], now);
  control_ = state.control & kWritable;
  schedule(now);
}

}  // namespace mote
