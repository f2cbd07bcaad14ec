// SPDX-License-Identifier: Apache-2.0
#include "cli/serve/launch.hpp"

#include <utility>

#include "core/text.hpp"
#include "vmm/machine/virtio_devices.hpp"

namespace mote {
namespace {

/// Waits until `value` is another than `old`. Looks for some tenths of a millisecond before it
/// sleeps: between the threads of a start, waking up would take as long as what is waited for.
template <class T>
void wait_awake(const std::atomic<T>& value, T old) {
  constexpr int kLooks = 10'000;
  for (int i = 0; i < kLooks; ++i) {
    if (value.load() != old) return;
    __builtin_ia32_pause();
  }
  value.wait(old);
}

}  // namespace

Result<std::unique_ptr<Launch>> Launch::start(LaunchContext context) {
  std::unique_ptr<Launch> launch(new Launch(std::move(context)));
  launch->thread_ = TRY(Thread::start(
      format("%s0", launch->context_.vcpu_name).c_str(),
      [](void* self) { static_cast<Launch*>(self)->serve(); }, launch.get()));
  return launch;
}

Launch::~Launch() {
  give(Order::kQuit);
}

void Launch::prepare(const VmConfig& config) {
  {
    const std::lock_guard guard(lock_);
    likely_ = {config.machine, config.cpuid};
  }
  give(Order::kPrepare);
}

Result<void> Launch::build(VmConfig config, HostFiles files) {
  config_ = std::move(config);
  files_.emplace(std::move(files));
  give(Order::kBuild);
  return wait_for_answer();
}

Result<void> Launch::run() {
  give(Order::kRun);
  return wait_for_answer();
}

/// The last order counts: none is given before the one that matters has been answered.
void Launch::give(Order order) {
  order_.store(order);
  order_.notify_all();
}

Result<void> Launch::wait_for_answer() {
  wait_awake(answered_, false);
  answered_.store(false);
  return *std::exchange(answer_, std::nullopt);
}

void Launch::answer(Result<void> result) {
  answer_.emplace(std::move(result));
  answered_.store(true);
  answered_.notify_all();
}

void Launch::serve() {
  for (;;) {
    order_.wait(Order::kNone);
    switch (order_.exchange(Order::kNone)) {
      case Order::kPrepare:
        prepare_likely();
        break;
      case Order::kBuild:
        if (!build_to_order()) return;
        prepare_to_run();
        break;
      case Order::kNone:
      case Order::kRun:
        break;
      case Order::kQuit:
        return;
    }
  }
}

/// What fails here fails again when the machine is built, and then there is somebody to tell.
void Launch::prepare_likely() {
  Blank blank;
  {
    const std::lock_guard guard(lock_);
    blank = likely_;
  }
  if (io_.empty() && !start_io_thread(most_loop_options(blank.machine))) return;
  static_cast<void>(make_vm(blank));
}

Result<void> Launch::start_io_thread(const LoopOptions& options) {
  const std::string name = io_.empty() ? "io" : format("io%zu", io_.size());
  // The first one asks KVM for CPUID.
  auto thread = TRY(IoThread::start(name.c_str(), options, io_.empty() ? context_.system : nullptr,
                                    context_.seal));
  thread->lock_in({});  // it is: this thread was when it made it
  io_.push_back(std::move(thread));
  return {};
}

/// Again only for another machine.
Result<void> Launch::make_vm(const Blank& blank) {
  if (made_for_ == blank) return {};
  made_for_.reset();
  vm_.reset();
  kvm::Vm vm = TRY(context_.system->create_vm());
  context_.timeline->mark("VM created");
  vm_.emplace(TRY(PreparedVm::create(blank.machine, std::move(vm), *context_.timeline)));
  TRY(vm_->set_up_vcpus(TRY(io_.front()->prepared())->cpuid, blank.cpuid));
  vm_->touch_first_pages();
  vm_->enter_once();
  made_for_ = blank;
  return {};
}

/// False, after its answer: this attempt is over.
bool Launch::build_to_order() {
  Result<void> built = build_machine();
  const bool is_built = built.has_value();
  if (!is_built) {
    machine_.reset();
    vm_.reset();
  }
  answer(std::move(built));
  return is_built;
}

Result<void> Launch::build_machine() {
  while (io_.size() < loop_count(config_)) TRY(start_io_thread(loop_options(config_)));
  TRY(make_vm({config_.machine, config_.cpuid}));
  context_.system.reset();
  TRY(files_->devices.reach(*vm_));
  if (context_.seal != nullptr) TRY(context_.seal(ThreadRole::kStart));
  machine_ = TRY(Machine::create(config_, *std::exchange(vm_, std::nullopt),
                                 *std::exchange(files_, std::nullopt), io_, *context_.timeline));
  if (machine_->unplug() != nullptr) machine_->unplug()->set_listener(context_.on_unplugged);
  session_.emplace(*machine_, context_.on_over, context_.signals);
  return {};
}

/// Up to the guest's first instruction, which waits until all threads are sealed: also the one that
/// gives the order. There is no way back.
void Launch::prepare_to_run() {
  for (const auto& thread : io_) thread->run_loop(session_->loop_failure());
  Result<void> ready =
      machine_->prepare_to_run(io_, context_.seal, session_->guest_end(), context_.vcpu_name);
  const bool runs = ready.has_value();
  wait_awake(order_, Order::kNone);
  answer(std::move(ready));
  if (runs) machine_->run();
  rest_for_good();
}

}  // namespace mote
