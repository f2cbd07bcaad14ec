// SPDX-License-Identifier: Apache-2.0
#include "cli/serve/launch.hpp"

#include <utility>

#include "core/text.hpp"
#include "vmm/machine/virtio_devices.hpp"

namespace mote {

Result<std::unique_ptr<Launch>> Launch::start(std::shared_ptr<const kvm::System> system,
                                              ThreadSeal seal, const char* vcpu_name,
                                              Timeline& timeline) {
  std::unique_ptr<Launch> launch(new Launch(std::move(system), seal, vcpu_name, timeline));
  launch->thread_ = TRY(Thread::start(
      format("%s0", vcpu_name).c_str(), [](void* self) { static_cast<Launch*>(self)->serve(); },
      launch.get()));
  return launch;
}

Launch::~Launch() {
  give(Order::kQuit);
}

void Launch::prepare(const MachineConfig& machine) {
  {
    const std::lock_guard guard(lock_);
    likely_ = machine;
  }
  give(Order::kPrepare);
}

Result<Machine*> Launch::build(VmConfig config, HostFiles files) {
  {
    const std::lock_guard guard(lock_);
    config_ = std::move(config);
    files_.emplace(std::move(files));
  }
  give(Order::kBuild);
  TRY(wait_for_answer());
  return machine_.get();
}

Result<void> Launch::run(Session& session) {
  session_ = &session;
  give(Order::kRun);
  return wait_for_answer();
}

void Launch::give(Order order) {
  {
    const std::lock_guard guard(lock_);
    order_ = order;
  }
  changed_.notify_all();
}

Result<void> Launch::wait_for_answer() {
  std::unique_lock guard(lock_);
  changed_.wait(guard, [this] { return answer_.has_value(); });
  return *std::exchange(answer_, std::nullopt);
}

void Launch::answer(Result<void> result) {
  {
    const std::lock_guard guard(lock_);
    answer_.emplace(std::move(result));
  }
  changed_.notify_all();
}

Launch::Order Launch::next_order() {
  std::unique_lock guard(lock_);
  changed_.wait(guard, [this] { return order_ != Order::kNone; });
  return std::exchange(order_, Order::kNone);
}

void Launch::serve() {
  for (;;) {
    switch (next_order()) {
      case Order::kNone:
        break;
      case Order::kPrepare: {
        MachineConfig likely;
        {
          const std::lock_guard guard(lock_);
          likely = likely_;
        }
        // WHY no word of an Error: it comes again when the machine is built.
        static_cast<void>(make_ahead(likely));
        break;
      }
      case Order::kBuild: {
        Result<void> built = build_machine();
        const bool failed = !built;
        if (failed) {
          machine_.reset();
          vm_.reset();
        }
        answer(std::move(built));
        if (failed) return;
        break;
      }
      case Order::kRun: {
        Result<void> ready = prepare_to_run();
        const bool failed = !ready;
        answer(std::move(ready));
        if (!failed) machine_->run();
        rest_for_good();
      }
      case Order::kQuit:
        return;
    }
  }
}

Result<void> Launch::start_io_thread(const LoopOptions& options) {
  // The first one asks KVM for CPUID.
  const std::string name = io_.empty() ? "io" : format("io%zu", io_.size());
  io_.push_back(
      TRY(IoThread::start(name.c_str(), options, io_.empty() ? system_ : nullptr, seal_)));
  io_.back()->lock_in({});  // it is: this thread was when it made it
  return {};
}

Result<void> Launch::make_ahead(const MachineConfig& machine) {
  if (io_.empty()) TRY(start_io_thread(most_loop_options(machine)));
  return make_vm(machine);
}

/// The one that was made ahead is the first.
Result<void> Launch::make_io_threads() {
  while (io_.size() < loop_count(config_)) TRY(start_io_thread(loop_options(config_)));
  return {};
}

/// Again only for another machine.
Result<void> Launch::make_vm(const MachineConfig& machine) {
  if (made_for_ == machine) return {};
  made_for_.reset();
  vm_.reset();
  kvm::Vm vm = TRY(system_->create_vm());
  timeline_.mark("VM created");
  vm_.emplace(TRY(PreparedVm::create(machine, std::move(vm), timeline_)));
  made_for_ = machine;
  return {};
}

Result<void> Launch::build_machine() {
  TRY(make_io_threads());
  TRY(make_vm(config_.machine));
  system_.reset();
  if (seal_ != nullptr) TRY(seal_(ThreadRole::kStart));
  machine_ = TRY(Machine::create(config_, *std::exchange(vm_, std::nullopt),
                                 *std::exchange(files_, std::nullopt), io_, timeline_));
  return {};
}

Result<void> Launch::prepare_to_run() {
  for (const auto& thread : io_) thread->run_loop(session_->loop_failure());
  return machine_->prepare_to_run(io_, seal_, session_->guest_end(), vcpu_name_);
}

}  // namespace mote
