// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/io_thread.hpp"

#include <utility>

namespace mote {

Result<std::unique_ptr<IoThread>> IoThread::start(const char* name, const LoopOptions& options,
                                                  std::shared_ptr<const kvm::System> system,
                                                  ThreadSeal seal) {
  std::unique_ptr<IoThread> io(new IoThread(options, std::move(system), seal));
  io->thread_ =
      TRY(Thread::start(name, [](void* self) { static_cast<IoThread*>(self)->run(); }, io.get()));
  return io;
}

IoThread::~IoThread() {
  if (may_run_) {
    loop_->stop();
  } else {
    step_go_.release();
    go_.release();
  }
}

Result<const IoThread::Prepared*> IoThread::prepared() {
  ready_.wait(false);
  if (!*prepared_) return prepared_->error();
  return &**prepared_;
}

void IoThread::lock_in(ThreadStep step) {
  step_ = step;
  step_go_.release();
}

Result<void> IoThread::locked_in() {
  step_done_.acquire();
  return *std::exchange(step_result_, std::nullopt);
}

void IoThread::run_loop(Completion on_failure) {
  on_failure_ = on_failure;
  may_run_ = true;
  go_.release();
}

Result<void> IoThread::serving() {
  serving_.acquire();
  return *std::exchange(begun_, std::nullopt);
}

Result<void> IoThread::join() {
  ended_.wait(false);
  return loop_result_ ? *loop_result_ : Result<void>();
}

Result<IoThread::Prepared> IoThread::prepare() {
  loop_ = TRY(EventLoop::create(options_));
  Prepared prepared{.loop = loop_.get(), .cpuid = {}};
  if (const auto system = std::exchange(system_, nullptr)) {
    prepared.cpuid = TRY(system->supported_cpuid());
  }
  return prepared;
}

/// The ring's set-up ends before the seal, so that a sealed loop needs no call for it.
Result<void> IoThread::begin() {
  TRY(loop_->enable());
  if (seal_ != nullptr) TRY(seal_(ThreadRole::kLoop));
  return {};
}

void IoThread::run() {
  prepared_.emplace(prepare());
  ready_.store(true);
  ready_.notify_all();
  step_go_.acquire();
  step_result_.emplace(step_.function == nullptr ? Result<void>() : step_.function(step_.context));
  step_done_.release();
  go_.acquire();
  if (!may_run_) return;
  begun_.emplace(begin());
  const bool has_begun = begun_->has_value();
  serving_.release();
  if (!has_begun) return;
  loop_result_.emplace(loop_->run());
  if (!*loop_result_) on_failure_.function(on_failure_.context, 0);
  ended_.store(true);
  ended_.notify_all();
  if (seal_ != nullptr) rest_for_good();
}

}  // namespace mote
