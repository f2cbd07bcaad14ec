// SPDX-License-Identifier: Apache-2.0
// A thread of an event loop. While another thread makes the VM it makes the ring, and one asks for
// CPUID.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <semaphore>

#include "core/event_loop.hpp"
#include "core/result.hpp"
#include "core/thread.hpp"
#include "core/thread_role.hpp"
#include "vmm/arch/cpuid.hpp"
#include "vmm/kvm/system.hpp"

namespace mote {

/// Something that a thread is to do itself, because it changes the thread.
struct ThreadStep {
  Result<void> (*function)(void* context) = nullptr;  ///< null: nothing
  void* context = nullptr;
};

/// Serves the loop, sealed, from `run_loop` to `EventLoop::stop`. All members are for the thread
/// that made it.
class IoThread {
 public:
  /// What the thread has made when it is ready. The loop lives as long as the IoThread.
  struct Prepared {
    EventLoop* loop = nullptr;
    arch::CpuidTable cpuid;  ///< what KVM supports on this host, if the thread was to ask
  };

  /// Starts a thread called `name`, which `seal` confines before it serves. The one that is given
  /// `system` asks it for CPUID and lets go of it then; null: it makes its loop only.
  static Result<std::unique_ptr<IoThread>> start(const char* name, const LoopOptions& options,
                                                 std::shared_ptr<const kvm::System> system,
                                                 ThreadSeal seal);
  /// Ends the thread, whatever it waits for. Not once it is sealed: then the process ends as a
  /// whole.
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  /// Waits until the thread is ready. Until `run_loop` the loop is the caller's to use.
  Result<const Prepared*> prepared();
  /// Has the thread call `step`, beside what the caller does meanwhile. Once.
  void lock_in(ThreadStep step);
  /// Waits for `step` and returns its Result. At most once, after `lock_in`.
  Result<void> locked_in();
  /// Lets the thread serve the loop. Once, after `lock_in`. `on_failure` is called on the loop's
  /// thread when the loop cannot go on; `join` has the Error.
  void run_loop(Completion on_failure);
  /// Waits until the thread is sealed and about to serve. Once, after `run_loop`.
  Result<void> serving();
  /// Lets the loop end. After `run_loop`.
  void stop() { loop_->stop(); }
  /// Waits until the loop has stopped; an Error is the loop's own failure.
  Result<void> join();

 private:
  IoThread(const LoopOptions& options, std::shared_ptr<const kvm::System> system, ThreadSeal seal)
      : options_(options), system_(std::move(system)), seal_(seal) {}
  void run();
  Result<Prepared> prepare();
  Result<void> begin();

  const LoopOptions options_;
  std::shared_ptr<const kvm::System> system_;
  const ThreadSeal seal_;
  std::unique_ptr<EventLoop> loop_;
  std::optional<Result<Prepared>> prepared_;
  std::optional<Result<void>> begun_;
  ThreadStep step_;
  std::optional<Result<void>> step_result_;
  std::optional<Result<void>> loop_result_;
  bool may_run_ = false;
  Completion on_failure_;
  // ORDER: each release or store hands what was written before it to the thread that waits.
  std::atomic<bool> ready_{false};
  std::binary_semaphore step_go_{0};
  std::binary_semaphore step_done_{0};
  std::binary_semaphore go_{0};
  std::binary_semaphore serving_{0};
  std::atomic<bool> ended_{false};
  Thread thread_;  // last: joined before the rest goes
};

}  // namespace mote
