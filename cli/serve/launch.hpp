// SPDX-License-Identifier: Apache-2.0
// The start of a guest that is asked for later: one thread makes ahead what needs no configuration,
// builds the machine when it is told of what, and is vCPU 0 then.
#pragma once

#include <condition_variable>
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

/// One attempt: `prepare` as often as it helps, `build`, `run`. One that could not be built is
/// destroyed, and another one takes its place. All members are for the thread that made it.
class Launch {
 public:
  /// `timeline` outlives this. Each thread is confined by `seal` before the guest runs; the one
  /// that builds, before it reads the first byte of an image. The vCPUs' threads are called
  /// `vcpu_name`, a literal, and their number.
  static Result<std::unique_ptr<Launch>> start(std::shared_ptr<const kvm::System> system,
                                               ThreadSeal seal, const char* vcpu_name,
                                               Timeline& timeline);
  /// Not once it runs.
  ~Launch();
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  /// Says what the machine is likely to be. Does not wait.
  void prepare(const MachineConfig& machine);
  /// Builds it, and waits for that. Once. The machine lives as long as the Launch.
  Result<Machine*> build(VmConfig config, HostFiles files);
  /// Runs the guest, and returns when it is about to. After `build`. An Error: it never will.
  Result<void> run(Session& session);

 private:
  enum class Order { kNone, kPrepare, kBuild, kRun, kQuit };

  Launch(std::shared_ptr<const kvm::System> system, ThreadSeal seal, const char* vcpu_name,
         Timeline& timeline)
      : system_(std::move(system)), seal_(seal), vcpu_name_(vcpu_name), timeline_(timeline) {}

  void give(Order order);
  Result<void> wait_for_answer();
  void answer(Result<void> result);
  Order next_order();
  void serve();
  Result<void> start_io_thread(const LoopOptions& options);
  Result<void> make_ahead(const MachineConfig& machine);
  Result<void> make_io_threads();
  Result<void> make_vm(const MachineConfig& machine);
  Result<void> build_machine();
  Result<void> prepare_to_run();

  std::shared_ptr<const kvm::System> system_;
  const ThreadSeal seal_;
  const char* const vcpu_name_;
  Timeline& timeline_;

  std::mutex lock_;  // guards the four below
  std::condition_variable changed_;
  Order order_ = Order::kNone;
  MachineConfig likely_;
  std::optional<Result<void>> answer_;

  // The thread's own; `config_` to `session_` are handed over with an order.
  VmConfig config_;
  std::optional<HostFiles> files_;
  Session* session_ = nullptr;
  std::optional<MachineConfig> made_for_;
  std::optional<PreparedVm> vm_;
  std::vector<std::unique_ptr<IoThread>> io_;
  std::unique_ptr<Machine> machine_;
  Thread thread_;  // last: joined before the rest goes
};

}  // namespace mote
