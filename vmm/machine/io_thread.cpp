// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/io_thread.hpp"

#include <utility>

namespace mote {

Result<std::unique_ptr<IoThread>> IoThread::start(const char* name, const LoopOptions& options,
                                                  const kvm::System* system) {
  std::unique_ptr<IoThread> io(new IoThread(options, system));
  io->thread_ =
      TRY(Thread::start(name, [](void* self) { static_cast<IoThread*>(self)->run(); }, io.get()));
  return io;
}

IoThread::~IoThread() {
  if (may_run_) {
    loop_->stop();
  } else {
    go_.release();
  }
}

Result<IoThread::Prepared> IoThread::prepared() {
  ready_.acquire();
  return *std::exchange(prepared_, std::nullopt);
}

void IoThread::run_loop(Completion on_failure) {
  on_failure_ = on_failure;
  may_run_ = true;
  go_.release();
}

Result<void> IoThread::join() {
  thread_.join();
  return loop_result_ ? *loop_result_ : Result<void>();
}

Result<IoThread::Prepared> IoThread::prepare() {
  loop_ = TRY(EventLoop::create(options_));
  Prepared prepared{.loop = loop_.get(), .cpuid = {}};
  if (system_ != nullptr) prepared.cpuid = TRY(system_->supported_cpuid());
  return prepared;
}

void IoThread::run() {
  prepared_.emplace(prepare());
  ready_.release();
  go_.acquire();
  if (!may_run_) return;
  loop_result_.emplace(loop_->run());
  if (!*loop_result_) on_failure_.function(on_failure_.context, 0);
}

}  // namespace mote
