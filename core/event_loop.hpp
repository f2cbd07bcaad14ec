// SPDX-License-Identifier: Apache-2.0
// The event loop: one thread, one io_uring. Every wait of the monitor outside KVM_RUN happens here.
#pragma once

#include <liburing.h>

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "core/event_fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// Called once with the result of an operation: bytes or an event mask, or a negated errno
/// (-ECANCELED after `cancel`).
struct Completion {
  void (*function)(void* context, i32 result) = nullptr;
  void* context = nullptr;

  /// A completion that calls `(object->*Method)(result)`.
  template <auto Method, class T>
  static Completion to(T* object) {
    return {[](void* context, i32 result) { (static_cast<T*>(context)->*Method)(result); }, object};
  }
};

/// Names one operation in flight. Stale names are harmless: they carry a generation.
struct OperationId {
  u32 index = 0;
  u32 generation = 0;
};

/// Owns the ring. All members but `post` and `stop` are for the loop's thread (the one that calls
/// `run`), or for any one thread before `run` is called. Buffers passed in must live until their
/// completion has been called.
class EventLoop {
 public:
  /// Makes the ring, disabled and restricted to the operations below; `run` enables it.
  /// The Error names the remedy where the host switched io_uring off.
  static Result<std::unique_ptr<EventLoop>> create();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  OperationId read(int fd, std::span<std::byte> buffer, Completion completion);
  OperationId write(int fd, std::span<const std::byte> buffer, Completion completion);
  /// Waits until `fd` has one of `events` (POLLIN, POLLOUT ...).
  OperationId poll(int fd, u32 events, Completion completion);
  /// Asks for an operation's end; its completion is called in any case.
  void cancel(OperationId operation);

  /// Runs `completion` (with result 0) on the loop's thread, in the order of the calls. Any thread.
  void post(Completion completion);
  /// Makes `run` return after the completions at hand. Any thread.
  void stop();
  /// Serves until `stop`.
  Result<void> run();

 private:
  struct Operation {
    Completion completion;
    u32 generation = 0;
    u32 next_free = 0;
  };
  EventLoop(EventFd wake) : wake_(std::move(wake)) {}
  io_uring_sqe* prepare(Completion completion, OperationId& id);
  io_uring_sqe* free_entry();
  void dispatch(const io_uring_cqe& entry);
  void arm_wake();
  void on_wake(i32 result);

  io_uring ring_{};
  bool enabled_ = false;
  bool stopping_ = false;
  std::vector<Operation> operations_;
  u32 first_free_ = 0;

  EventFd wake_;
  u64 wake_count_ = 0;
  std::mutex posted_lock_;
  std::vector<Completion> posted_;
  std::vector<Completion> taken_;
};

}  // namespace mote
