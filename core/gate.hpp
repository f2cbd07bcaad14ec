// SPDX-License-Identifier: Apache-2.0
// Gate: whoever uses a thing passes it; who takes the thing away closes it, and knows then that
// nobody is inside.
#pragma once

#include <atomic>

#include "core/types.hpp"

namespace mote {

/// Those who pass never wait, neither for each other nor for who closes. Any thread.
class Gate {
 public:
  /// While it lives and is true, the gate does not close behind its owner.
  class Pass {
   public:
    explicit Pass(Gate& gate) : gate_(gate.enter() ? &gate : nullptr) {}
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass() {
      if (gate_ != nullptr) gate_->leave();
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    Gate* gate_;
  };

  /// Lets nobody in any more, and returns when nobody is inside. Not by who is. May be repeated.
  void close() {
    state_.fetch_or(kClosed);
    for (u32 state = state_.load(); state != kClosed; state = state_.load()) state_.wait(state);
  }

 private:
  static constexpr u32 kClosed = 1u << 31;  // below it is the number of those inside

  bool enter() {
    if ((state_.load() & kClosed) != 0) return false;
    if ((state_.fetch_add(1) & kClosed) == 0) return true;
    leave();
    return false;
  }
  void leave() {
    if (state_.fetch_sub(1) == (kClosed | 1)) state_.notify_all();
  }

  std::atomic<u32> state_{0};
};

}  // namespace mote
