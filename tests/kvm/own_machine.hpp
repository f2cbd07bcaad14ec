// SPDX-License-Identifier: Apache-2.0
// A machine in the test's own process, as a program makes one that has more to do with it than to
// run it to its end. Without a sandbox.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "vmm/machine/machine.hpp"

namespace mote::test {

/// Everything of one VM. The serial port goes to a file.
class OwnMachine {
 public:
  /// Makes all that can be made before the image is looked at.
  static Result<std::unique_ptr<OwnMachine>> prepare(const VmConfig& config);
  ~OwnMachine();
  OwnMachine(const OwnMachine&) = delete;
  OwnMachine& operator=(const OwnMachine&) = delete;

  /// Makes the machine of `files`.
  Result<void> create(HostFiles files);
  /// Runs it on a thread that becomes vCPU 0. Returns when the guest is about to run.
  Result<void> start();
  /// The machine, which `create` made.
  Machine& machine() { return *machine_; }
  /// Waits until the guest has ended and all of its output is written.
  void join();

 private:
  explicit OwnMachine(const VmConfig& config) : config_(config) {}
  void run();
  void on_end(i32);
  void on_flushed(i32);
  void on_loop_failure(i32);

  const VmConfig config_;
  Timeline timeline_;
  std::vector<std::unique_ptr<IoThread>> io_;
  std::optional<PreparedVm> vm_;
  std::unique_ptr<Machine> machine_;
  std::optional<Result<void>> prepared_;
  std::atomic<bool> is_prepared_{false};
  std::thread runner_;
};

}  // namespace mote::test
