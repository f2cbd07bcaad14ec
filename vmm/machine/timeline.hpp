// SPDX-License-Identifier: Apache-2.0
// The boot timeline: what happened when, from the start of the process to its end. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <string>

#include "core/types.hpp"

namespace mote {

/// Records named moments without a lock or an allocation.
class Timeline {
 public:
  /// The process started when it had used no CPU time: that is how far back the first moment lies.
  Timeline();

  /// `what` must be a string literal. Moments past the capacity are dropped.
  void mark(const char* what);
  /// A mark that the guest wrote to the boot clock: 1 kernel entered, 2 init reached, others by
  /// number.
  void guest_mark(u8 number);

  /// For people: one line per moment with milliseconds since the start and since the line before.
  std::string table() const;
  /// Chrome's trace event format (JSON): each phase as a complete event, microseconds.
  std::string chrome_trace() const;

 private:
  struct Moment {
    const char* what = nullptr;
    u64 at_ns = 0;
    u8 guest_number = 0;
  };
  static constexpr std::size_t kCapacity = 256;
  /// The guest may write as many marks as it likes: what is left belongs to the monitor.
  static constexpr std::size_t kGuestCapacity = kCapacity - 32;

  void add(const char* what, u64 at_ns, u8 guest_number);
  std::string name(const Moment& moment) const;
  std::size_t size() const;

  const int process_;
  std::array<Moment, kCapacity> moments_;
  std::atomic<std::size_t> used_{0};
  std::atomic<std::size_t> guest_marks_{0};
};

}  // namespace mote
