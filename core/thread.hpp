// SPDX-License-Identifier: Apache-2.0
// Thread: a named thread whose start can fail with an Error, and which is joined at the end.
#pragma once

#include <pthread.h>

#include "core/result.hpp"

namespace mote {

/// What messages call the calling thread: the name that it was started under, "mote" for the main
/// one. Safe in a signal handler.
const char* thread_name();
/// Changes that, for messages only. 15 characters at most are kept.
void set_thread_name(const char* name);

/// Sleeps until the process ends. For a thread that is done and under a filter: coming to an end by
/// itself would take system calls that nothing else needs.
[[noreturn]] void rest_for_good();

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
