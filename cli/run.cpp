// SPDX-License-Identifier: Apache-2.0
#include "cli/run.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <malloc.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>

#include "cli/confinement.hpp"
#include "cli/exit_code.hpp"
#include "cli/terminal.hpp"
#include "cli/timeline_report.hpp"
#include "core/log.hpp"
#include "core/loop_alarm.hpp"
#include "core/text.hpp"
#include "vmm/kvm/system.hpp"
#include "vmm/machine/console.hpp"
#include "vmm/machine/host_files.hpp"
#include "vmm/machine/io_thread.hpp"
#include "vmm/machine/machine.hpp"
#include "vmm/machine/prepared_vm.hpp"

namespace mote {
namespace {

/// How long a reader of the serial output may take for what is left at the end.
constexpr u64 kFlushTimeNs = 1'000'000'000;

/// The signals that end a run, or have it look at its disks.
sigset_t served_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, number);
  return signals;
}

/// Before there is another process or thread, so that all inherit it.
void prepare_signals() {
  const sigset_t signals = served_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // a write that fails says so itself
  // In the background of a terminal the VM goes on without input instead of being stopped.
  ::signal(SIGTTIN, SIG_IGN);
  ::signal(SIGTTOU, SIG_IGN);
}

Result<UniqueFd> signals_to_read() {
  const sigset_t signals = served_signals();
  UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC));
  if (!fd) return Error::from_errno(errno, "cannot create a signalfd");
  return fd;
}

ExitCode exit_code(EndKind kind) {
  switch (kind) {
    case EndKind::kPowerOff:
      return ExitCode::kPowerOff;
    case EndKind::kReset:
      return ExitCode::kReset;
    case EndKind::kTripleFault:
      return ExitCode::kTripleFault;
    case EndKind::kVcpuFailure:
      return ExitCode::kVcpuFailure;
    case EndKind::kSealFailure:
      break;
  }
  return ExitCode::kHostFailure;
}

/// What ends a run, whichever comes first: the guest, a signal, the user. Lives on the loop's
/// thread.
class Session final : private AlarmHandler {
 public:
  /// Before the loop runs.
  Session(Machine& machine, UniqueFd signals)
      : loop_(machine.loop()), machine_(machine), signals_(std::move(signals)) {
    flush_alarm_.set_handler(*this);
    machine_.console().set_escape(Completion::to<&Session::on_escape>(this));
    read_signal();
  }

  void on_guest_end(i32) { finish(exit_code(machine_.end()->kind)); }
  /// Without its loop there is nobody to stop the guest later, or to serve its devices.
  void on_loop_failure(i32) {
    machine_.stop();
    loop_.stop();
  }
  /// Set when the loop has stopped.
  std::optional<ExitCode> code() const { return code_; }

 private:
  void read_signal() {
    loop_.read(signals_.get(), std::as_writable_bytes(std::span(&signal_, 1)),
               Completion::to<&Session::on_signal>(this));
  }
  void on_escape(i32) { finish(ExitCode::kUserEscape); }
  void on_signal(i32) {
    if (signal_.ssi_signo == SIGUSR1) {
      machine_.disks().look_at_sizes();
      return read_signal();
    }
    finish(signal_.ssi_signo == SIGINT ? ExitCode::kInterrupted : ExitCode::kTerminated);
  }

  void finish(ExitCode code) {
    if (code_) return;
    code_ = code;
    machine_.stop();
    machine_.console().finish(Completion::to<&Session::on_flushed>(this));
    if (!flushed_) flush_alarm_.arm(flush_alarm_.now_ns() + kFlushTimeNs);
  }
  void on_flushed(i32) {
    flushed_ = true;
    loop_.stop();
  }
  void on_alarm() override {
    log(LogLevel::kWarn, "nobody reads the serial output: what is left of it is lost");
    loop_.stop();
  }

  EventLoop& loop_;
  Machine& machine_;
  UniqueFd signals_;
  signalfd_siginfo signal_{};
  LoopAlarm flush_alarm_{loop_};
  std::optional<ExitCode> code_;
  bool flushed_ = false;
};

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
    thread->run_loop(Completion::to<&Session::on_loop_failure>(&session));
  }
  TRY(machine.prepare_to_run(io, seal, Completion::to<&Session::on_guest_end>(&session)));
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
  if (config.serial.mode == SerialMode::kStdio) terminal.emplace();
  Confinement confinement = TRY(Confinement::enter(config));
  if (const auto code = confinement.supervisors_exit_code()) return static_cast<ExitCode>(*code);
  timeline.mark("process split");

  UniqueFd signals = TRY(signals_to_read());
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
  TRY(confinement.lock_in(io));
  timeline.mark("locked in");
  const auto machine = TRY(Machine::create(config, std::move(vm), std::move(files), io, timeline));
  Session session(*machine, std::move(signals));
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
