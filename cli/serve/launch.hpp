// SPDX-License-Identifier: Apache-2.0
// The start of a guest that is asked for later: one thread makes ahead what needs no configuration,
// builds the machine when it is told of what, and is vCPU 0 then.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "cli/session.hpp"
#include "core/result.hpp"
#include "core/thread.hpp"
#include "core/thread_role.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/kvm/system.hpp"
#include "vmm/machine/host_files.hpp"
#include "vmm/machine/io_thread.hpp"
#include "vmm/machine/machine.hpp"
#include "vmm/machine/prepared_vm.hpp"
#include "vmm/machine/timeline.hpp"

namespace mote {

/// What all launches of a process have in common.
struct LaunchContext {
  std::shared_ptr<const kvm::System> system;
  /// Confines each thread before the guest runs; the one that builds, before it reads the first
  /// byte of an image.
  ThreadSeal seal = nullptr;
  const char* vcpu_name = "vcpu";  ///< a literal: what threads of vCPUs are called, with a number
  Timeline* timeline = nullptr;    ///< outlives them
  Completion on_over;              ///< see Session
  Completion on_unplugged;         ///< see Unplug
  int signals = -1;                ///< see Session
};

/// One attempt: `prepare` as often as it helps, `build`, `run`. One that could not be built is
/// destroyed, and another one takes its place. All members are for the thread that made it.
class Launch {
 public:
  static Result<std::unique_ptr<Launch>> start(LaunchContext context);
  /// Not once it is built.
  ~Launch();
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  /// Says what the machine is likely to be: of `config`, what makes a VM before it has images and
  /// devices. Does not wait.
  void prepare(const VmConfig& config);
  /// Builds the machine, and waits for that. Once. What follows on its threads, up to the guest's
  /// first instruction, goes on meanwhile.
  Result<void> build(VmConfig config, HostFiles files);
  /// Lets the guest run, and returns when it is about to. After `build`. An Error: it never will.
  Result<void> run();

  /// After `build`.
  Machine& machine() { return *machine_; }
  Session& session() { return *session_; }

 private:
  enum class Order { kNone, kPrepare, kBuild, kRun, kQuit };
  /// What a VM is made of before it has images and devices.
  struct Blank {
    MachineConfig machine;
    std::vector<CpuidMask> cpuid;
    bool operator==(const Blank&) const = default;
  };

  explicit Launch(LaunchContext context) : context_(std::move(context)) {}

  void give(Order order);
  Result<void> wait_for_answer();
  void answer(Result<void> result);
  void serve();
  void prepare_likely();
  bool build_to_order();
  Result<void> start_io_thread(const LoopOptions& options);
  Result<void> make_vm(const Blank& blank);
  Result<void> build_machine();
  void prepare_to_run();

  LaunchContext context_;
  std::atomic<Order> order_{Order::kNone};
  std::atomic<bool> answered_{false};
  std::optional<Result<void>> answer_;
  std::mutex lock_;  // guards the one below
  Blank likely_;

  // The thread's own; the first two are handed over with an order.
  VmConfig config_;
  std::optional<HostFiles> files_;
  std::optional<Blank> made_for_;
  std::optional<PreparedVm> vm_;
  std::vector<std::unique_ptr<IoThread>> io_;
  std::unique_ptr<Machine> machine_;
  std::optional<Session> session_;
  Thread thread_;  // last: joined before the rest goes
};

}  // namespace mote
