// SPDX-License-Identifier: Apache-2.0
#include "cli/run.hpp"

#include <unistd.h>

#include <malloc.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "cli/confinement.hpp"
#include "cli/exit_code.hpp"
#include "cli/session.hpp"
#include "cli/signals.hpp"
#include "cli/terminal.hpp"
#include "cli/timeline_report.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "vmm/kvm/system.hpp"
#include "vmm/machine/console.hpp"
#include "vmm/machine/host_files.hpp"
#include "vmm/machine/io_thread.hpp"
#include "vmm/machine/machine.hpp"
#include "vmm/machine/prepared_vm.hpp"

namespace mote {
namespace {

/// The first one asks for CPUID. More than one are of use to virtio devices only.
Result<std::vector<std::unique_ptr<IoThread>>> start_io_threads(
    const VmConfig& config, std::shared_ptr<const kvm::System> system, ThreadSeal seal) {
  std::vector<std::unique_ptr<IoThread>> threads;
  const LoopOptions options = loop_options(config);
  threads.push_back(TRY(IoThread::start("io", options, std::move(system), seal)));
  for (u32 i = 1; i < loop_count(config); ++i) {
    threads.push_back(TRY(IoThread::start(format("io%u", i).c_str(), options, nullptr, seal)));
  }
  return threads;
}

/// Stops the loops and waits for that. The Error is that of the first one that failed.
Result<void> end_loops(std::span<const std::unique_ptr<IoThread>> threads) {
  Result<void> result;
  for (const auto& thread : threads) {
    thread->stop();
    Result<void> joined = thread->join();
    if (result && !joined) result = std::move(joined);
  }
  return result;
}

/// Runs the machine until it ends and says what there is to say.
Result<ExitCode> run_to_end(Machine& machine, std::span<const std::unique_ptr<IoThread>> io,
                            Session& session, ThreadSeal seal) {
  for (const auto& thread : io) {
    thread->run_loop(session.loop_failure());
  }
  TRY(machine.prepare_to_run(io, seal, session.guest_end()));
  machine.run();
  if (!io.front()->join() || !session.code()) TRY(end_loops(io));
  return session.code().value_or(ExitCode::kHostFailure);
}

ExitCode report(const Error& error) {
  std::fprintf(stderr, "mote: %s\n", error.message().c_str());
  return exit_code_for(error.fault());
}

/// Reports how a run came to its end.
ExitCode report_end(const Machine& machine, ExitCode code, const TimelineReport& timeline_report,
                    Timeline& timeline) {
  if (machine.end() && !machine.end()->report.empty()) {
    std::fprintf(stderr, "mote: %s\n", machine.end()->report.c_str());
  }
  timeline.mark("end");
  const auto written = timeline_report.write(timeline);
  return written ? code : report(written.error());
}

/// A VM from its parts to its end. Returns in the supervisor; in the VM's process only an Error, if
/// it could not be made.
Result<ExitCode> run_vm(const VmConfig& config, Timeline& timeline) {
  prepare_signals();
  // Before anything that takes time, so that what is typed meanwhile is not echoed; and before the
  // process is split, so that its supervisor gives the terminal back whatever becomes of the VM.
  std::optional<RawTerminal> terminal;
  if (config.serial.mode == SerialMode::kStdio) terminal.emplace().begin();
  Confinement confinement = TRY(Confinement::enter(config));
  if (const auto code = confinement.supervisors_exit_code()) return static_cast<ExitCode>(*code);
  timeline.mark("process split");

  const UniqueFd signals = TRY(signals_to_read());
  const TimelineReport timeline_report = TRY(TimelineReport::open(config.timeline));
  HostFiles files = TRY(HostFiles::open(config));
  if (!files.serial.pty_path.empty()) {
    std::fprintf(stderr, "mote: serial port: %s\n", files.serial.pty_path.c_str());
  }
  // Closed when main and io thread have done with it: who breaks out later makes no VM of its own.
  auto system = std::make_shared<const kvm::System>(TRY(kvm::System::open()));
  const auto io = TRY(start_io_threads(config, system, confinement.seal()));
  kvm::Vm empty_vm = TRY(system->create_vm());
  system.reset();
  timeline.mark("VM created");
  PreparedVm vm = TRY(PreparedVm::create(config.machine, std::move(empty_vm), timeline));
  TRY(files.devices.reach(vm));
  TRY(confinement.lock_in(io));
  timeline.mark("locked in");
  const auto machine = TRY(Machine::create(config, std::move(vm), std::move(files), io, timeline));
  Session session(
      *machine, {[](void* loop, i32) { static_cast<EventLoop*>(loop)->stop(); }, &machine->loop()},
      signals.get());
  // WHY there is no way back from here: sealed threads may not take anything apart, and the kernel
  // takes memory, VM and ring back at once, quicker than one destructor after the other.
  const Result<ExitCode> code = run_to_end(*machine, io, session, confinement.seal());
  terminal.reset();
  ::_exit(static_cast<int>(code ? report_end(*machine, *code, timeline_report, timeline)
                                : report(code.error())));
}

}  // namespace

int run_command(const VmConfig& config, Timeline& timeline) {
  // A second arena would cost more memory than the threads' rare allocations are worth. One source
  // of memory, brk, is what sealed threads are left with.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_MAX, 0);
  const auto code = run_vm(config, timeline);
  return static_cast<int>(code ? *code : report(code.error()));
}

}  // namespace mote
