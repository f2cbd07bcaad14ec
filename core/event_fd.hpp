// SPDX-License-Identifier: Apache-2.0
// EventFd: a counter in the kernel that wakes whoever reads it. Any thread may signal.
#pragma once

#include "core/fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// An eventfd(2), close-on-exec.
class EventFd {
 public:
  /// `nonblocking` is for reads outside the event loop; the loop reads blocking ones through its
  /// ring.
  static Result<EventFd> create(bool nonblocking = false);

  /// Adds one. Never blocks in practice (the counter would have to reach 2^64 - 2).
  /// Async-signal-safe.
  void signal() const;
  /// Takes the count (0 when there is none and the fd is non-blocking).
  u64 drain() const;
  int fd() const { return fd_.get(); }

 private:
  explicit EventFd(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// `EventFd::signal` for a descriptor that somebody else owns.
void signal_eventfd(int fd);

}  // namespace mote
