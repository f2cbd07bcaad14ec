// SPDX-License-Identifier: Apache-2.0
#include "core/thread.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "core/types.hpp"

namespace mote {
namespace {

/// Threads here parse nothing and recurse nowhere.
constexpr std::size_t kStackSize = 256 * kKiB;

thread_local char g_name[16] = "mote";

struct Start {
  char name[16];
  void (*function)(void*);
  void* context;
};

void* enter(void* argument) {
  const std::unique_ptr<Start> start(static_cast<Start*>(argument));
  ::pthread_setname_np(::pthread_self(), start->name);
  set_thread_name(start->name);
  start->function(start->context);
  return nullptr;
}

}  // namespace

const char* thread_name() {
  return g_name;
}

void set_thread_name(const char* name) {
  std::snprintf(g_name, sizeof(g_name), "%s", name);
}

void rest_for_good() {
  static const u32 never = 0;
  for (;;) ::syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, never, nullptr, nullptr, 0);
}

Thread::Thread(Thread&& other) noexcept
    : handle_(other.handle_), joinable_(std::exchange(other.joinable_, false)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
  join();
  handle_ = other.handle_;
  joinable_ = std::exchange(other.joinable_, false);
  return *this;
}

Result<Thread> Thread::start(const char* name, void (*function)(void*), void* context) {
  auto start = std::make_unique<Start>();
  std::snprintf(start->name, sizeof(start->name), "%s", name);
  start->function = function;
  start->context = context;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackSize);
  Thread thread;
  Start* const handed_over = start.release();  // the thread owns it, if there is one
  const int error = ::pthread_create(&thread.handle_, &attributes, &enter, handed_over);
  ::pthread_attr_destroy(&attributes);
  if (error != 0) {
    delete handed_over;
    return Error::from_errno(
        error, std::string("cannot start thread '") + name + "'",
        "raise the limit of processes (ulimit -u) or of the cgroup (pids.max)");
  }
  thread.joinable_ = true;
  return thread;
}

void Thread::join() {
  if (std::exchange(joinable_, false)) ::pthread_join(handle_, nullptr);
}

}  // namespace mote
