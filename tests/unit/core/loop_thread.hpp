// SPDX-License-Identifier: Apache-2.0
// What stands around code that lives on an event loop: a loop that runs, pipes, and results that a
// test can wait for.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/event_loop.hpp"
#include "core/fd.hpp"

namespace mote::test {

/// Longer than any machine under load takes; a test that waits this long has failed.
inline constexpr std::chrono::seconds kPatience{30};

inline std::unique_ptr<EventLoop> make_loop(const LoopOptions& options = {}) {
  auto loop = EventLoop::create(options);
  CHECK(loop.has_value(), "tests need io_uring");
  return *std::move(loop);
}

/// Runs a loop on a thread of its own from `start` to the end of its life.
class LoopThread {
 public:
  explicit LoopThread(const LoopOptions& options = {}) : loop_(make_loop(options)) {}
  ~LoopThread() { stop(); }

  /// Before `start` for the calling thread, after it for completions.
  EventLoop& loop() { return *loop_; }
  void start() {
    thread_ = std::thread([this] { EXPECT_TRUE(loop_->run().has_value()); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
  }
  /// Runs `function` on the loop's thread and waits for its end.
  template <class Function>
  void call(Function function) {
    struct Call {
      Function& function;
      std::mutex lock;
      std::condition_variable changed;
      bool done = false;
    } call{function, {}, {}, false};
    loop_->post({[](void* context, i32) {
                   Call& self = *static_cast<Call*>(context);
                   self.function();
                   const std::lock_guard guard(self.lock);
                   self.done = true;
                   self.changed.notify_one();
                 },
                 &call});
    std::unique_lock guard(call.lock);
    call.changed.wait(guard, [&call] { return call.done; });
  }

 private:
  std::unique_ptr<EventLoop> loop_;
  std::thread thread_;
};

/// Collects results of completions; any thread may wait for them.
class Results {
 public:
  Completion completion() { return Completion::to<&Results::add>(this); }
  /// The results so far, once there are `count`; fewer when patience ends.
  std::vector<i32> wait(std::size_t count) {
    std::unique_lock guard(lock_);
    changed_.wait_for(guard, kPatience, [&] { return results_.size() >= count; });
    return results_;
  }
  std::size_t count() {
    const std::lock_guard guard(lock_);
    return results_.size();
  }

 private:
  void add(i32 result) {
    const std::lock_guard guard(lock_);
    results_.push_back(result);
    changed_.notify_all();
  }
  std::mutex lock_;
  std::condition_variable changed_;
  std::vector<i32> results_;
};

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
  explicit Pipe(int flags = 0) {
    int fds[2];
    CHECK(::pipe2(fds, O_CLOEXEC | flags) == 0, "a pipe can be made");
    reader.reset(fds[0]);
    writer.reset(fds[1]);
  }
};

}  // namespace mote::test
