// SPDX-License-Identifier: Apache-2.0
#include "tests/kvm/own_machine.hpp"

#include <gtest/gtest.h>

#include "core/text.hpp"

namespace mote::test {

Result<std::unique_ptr<OwnMachine>> OwnMachine::prepare(const VmConfig& config) {
  std::unique_ptr<OwnMachine> own(new OwnMachine(config));
  auto system = std::make_shared<const kvm::System>(TRY(kvm::System::open()));
  for (u32 i = 0; i < loop_count(config); ++i) {
    own->io_.push_back(TRY(IoThread::start(format("io%u", i).c_str(), loop_options(config),
                                           i == 0 ? system : nullptr, nullptr)));
    own->io_.back()->lock_in({});
  }
  own->vm_ = TRY(PreparedVm::create(config.machine, *system, own->timeline_));
  return own;
}

Result<void> OwnMachine::create(HostFiles files) {
  machine_ = TRY(Machine::create(config_, *std::exchange(vm_, std::nullopt), std::move(files), io_,
                                 timeline_));
  return {};
}

Result<void> OwnMachine::start() {
  for (const auto& thread : io_) {
    thread->run_loop(Completion::to<&OwnMachine::on_loop_failure>(this));
  }
  runner_ = std::thread([this] { run(); });
  is_prepared_.wait(false);
  return *prepared_;
}

void OwnMachine::run() {
  prepared_ = machine_->prepare_to_run(io_, nullptr, Completion::to<&OwnMachine::on_end>(this));
  const bool runs = prepared_->has_value();
  is_prepared_.store(true);
  is_prepared_.notify_all();
  if (runs) machine_->run();
}

void OwnMachine::on_end(i32) {
  machine_->stop();
  machine_->console().finish(Completion::to<&OwnMachine::on_flushed>(this));
}

void OwnMachine::on_flushed(i32) {
  machine_->loop().stop();
}

void OwnMachine::on_loop_failure(i32) {
  ADD_FAILURE() << "an event loop failed";
  machine_->stop();
}

void OwnMachine::join() {
  EXPECT_TRUE(io_.front()->join());
}

OwnMachine::~OwnMachine() {
  if (!runner_.joinable()) return;
  machine_->stop();
  runner_.join();
  for (const auto& thread : io_) {
    thread->stop();
    EXPECT_TRUE(thread->join());
  }
}

}  // namespace mote::test
