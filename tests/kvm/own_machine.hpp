// SPDX-License-Identifier: Apache-2.0
// A machine in the test's own process, as a program makes one that has more to do with it than to
// run it to its end.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "vmm/machine/machine.hpp"

namespace mote::test {

/// What threads of vCPUs are called, with their number.
inline constexpr char kVcpuName[] = "own vCPU ";

/// `files` once more, with the locks that they have. Not with devices of the host.
Result<HostFiles> duplicate(const HostFiles& files);

/// Everything of one VM. The serial port goes to a file.
class OwnMachine {
 public:
  /// Makes the threads of the loops. `seal` as in `IoThread::start`.
  static Result<std::unique_ptr<OwnMachine>> prepare(const VmConfig& config,
                                                     std::shared_ptr<const kvm::System> system,
                                                     ThreadSeal seal = nullptr);
  /// Not once the threads are sealed.
  ~OwnMachine();
  OwnMachine(const OwnMachine&) = delete;
  OwnMachine& operator=(const OwnMachine&) = delete;

  /// Makes a VM for it, which has its memory and vCPUs.
  Result<PreparedVm> make_vm();
  /// Makes the machine of `files`, in `vm`. Again, where the kernel was refused.
  Result<void> create(HostFiles files, PreparedVm vm);
  /// The same in a new VM.
  Result<void> create(HostFiles files) { return create(std::move(files), TRY(make_vm())); }
  /// Runs it on a thread that becomes vCPU 0. Returns when the guest is about to run.
  Result<void> start();
  /// Runs it on the calling thread, to its end.
  Result<void> run_here();
  /// Waits until the guest is about to run, on a thread beside the one that runs it.
  void wait_until_prepared() const { is_prepared_.wait(false); }
  /// The machine, which `create` made.
  Machine& machine() { return *machine_; }
  /// Waits until the guest has ended and all of its output is written.
  void join();

 private:
  OwnMachine(const VmConfig& config, std::shared_ptr<const kvm::System> system, ThreadSeal seal)
      : config_(config), system_(std::move(system)), seal_(seal) {}
  void run_loops();
  void run();
  void on_end(i32);
  void on_flushed(i32);
  void on_loop_failure(i32);

  const VmConfig config_;
  const std::shared_ptr<const kvm::System> system_;
  const ThreadSeal seal_;
  Timeline timeline_;
  std::vector<std::unique_ptr<IoThread>> io_;
  std::unique_ptr<Machine> machine_;
  std::optional<Result<void>> prepared_;
  std::atomic<bool> is_prepared_{false};
  std::thread runner_;
};

}  // namespace mote::test
