// SPDX-License-Identifier: Apache-2.0
#include "tests/kvm/own_machine.hpp"

#include <gtest/gtest.h>

#include "core/text.hpp"

namespace mote::test {

Result<HostFiles> duplicate(const HostFiles& files) {
  HostFiles copy{.kernel = TRY(files.kernel.duplicate())};
  if (files.initrd) copy.initrd = TRY(files.initrd->duplicate());
  for (const auto& image : files.images) copy.images.push_back(TRY(image.duplicate()));
  for (const auto& tap : files.taps) copy.taps.push_back(TRY(tap->duplicate()));
  copy.serial = TRY(files.serial.duplicate());
  return copy;
}

Result<std::unique_ptr<OwnMachine>> OwnMachine::prepare(const VmConfig& config,
                                                        std::shared_ptr<const kvm::System> system,
                                                        ThreadSeal seal) {
  std::unique_ptr<OwnMachine> own(new OwnMachine(config, std::move(system), seal));
  for (u32 i = 0; i < loop_count(config); ++i) {
    own->io_.push_back(TRY(IoThread::start(format("io%u", i).c_str(), loop_options(config),
                                           i == 0 ? own->system_ : nullptr, seal)));
    own->io_.back()->lock_in({});
  }
  return own;
}

Result<PreparedVm> OwnMachine::make_vm() {
  return PreparedVm::create(config_.machine, TRY(system_->create_vm()), timeline_);
}

Result<void> OwnMachine::create(HostFiles files, PreparedVm vm) {
  machine_ = TRY(Machine::create(config_, std::move(vm), std::move(files), io_, timeline_));
  return {};
}

void OwnMachine::run_loops() {
  for (const auto& thread : io_) {
    thread->run_loop(Completion::to<&OwnMachine::on_loop_failure>(this));
  }
}

Result<void> OwnMachine::run_here() {
  run_loops();
  run();
  return *prepared_;
}

Result<void> OwnMachine::start() {
  run_loops();
  runner_ = std::thread([this] { run(); });
  wait_until_prepared();
  return *prepared_;
}

void OwnMachine::run() {
  prepared_ =
      machine_->prepare_to_run(io_, seal_, Completion::to<&OwnMachine::on_end>(this), kVcpuName);
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
