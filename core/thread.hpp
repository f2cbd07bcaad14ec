// SPDX-License-Identifier: Apache-2.0
// Thread: a named thread whose start can fail with an Error, and which is joined at the end.
#pragma once

#include <pthread.h>

#include "core/result.hpp"

namespace mote {

/// Owns a running thread; the destructor waits for its end.
class Thread {
 public:
  Thread() = default;
  Thread(Thread&& other) noexcept;
  Thread& operator=(Thread&& other) noexcept;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() { join(); }

  /// Starts `function(context)` under `name` (15 characters at most are kept).
  static Result<Thread> start(const char* name, void (*function)(void*), void* context);

  /// Waits for the end. Harmless when there is nothing to wait for.
  void join();

 private:
  pthread_t handle_ = 0;
  bool joinable_ = false;
};

}  // namespace mote
