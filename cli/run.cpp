// SPDX-License-Identifier: Apache-2.0
#include "cli/run.hpp"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <malloc.h>

#include <csignal>
#include <cstdio>
#include <optional>

#include "cli/exit_code.hpp"
#include "cli/terminal.hpp"
#include "core/log.hpp"
#include "core/loop_alarm.hpp"
#include "core/text.hpp"
#include "core/thread_role.hpp"
#include "jail/seal.hpp"
#include "jail/seccomp/forbidden.hpp"
#include "vmm/kvm/system.hpp"
#include "vmm/machine/console.hpp"
#include "vmm/machine/io_thread.hpp"
#include "vmm/machine/machine.hpp"

namespace mote {
namespace {

/// How long a reader of the serial output may take for what is left at the end.
constexpr u64 kFlushTimeNs = 1'000'000'000;

/// SIGINT, SIGTERM and SIGUSR1 as something to read. Blocked before any thread starts, so that all
/// inherit it.
Result<UniqueFd> signals_to_read() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // a write that fails says so itself
  // In the background of a terminal the VM goes on without input instead of being stopped.
  ::signal(SIGTTIN, SIG_IGN);
  ::signal(SIGTTOU, SIG_IGN);
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

/// The files that a run writes its account to at its end. Opened at its start, because nothing can
/// be opened later.
class TimelineReport {
 public:
  static Result<TimelineReport> open(const TimelineConfig& config) {
    TimelineReport report(config);
    if (config.json_path.empty()) return report;
    report.file_ = TRY(
        open_file(config.json_path, O_WRONLY | O_CREAT | O_TRUNC, "the timeline goes there", 0644));
    return report;
  }

  Result<void> write(const Timeline& timeline) const {
    if (config_.table) std::fputs(timeline.table().c_str(), stderr);
    if (!file_) return {};
    const std::string trace = timeline.chrome_trace();
    std::string_view text = trace;
    while (!text.empty()) {
      const ssize_t written = ::write(file_.get(), text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        return Error::from_errno(errno, "cannot write '" + config_.json_path + "'");
      }
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

 private:
  explicit TimelineReport(const TimelineConfig& config) : config_(config) {}
  const TimelineConfig& config_;
  UniqueFd file_;
};

/// The first one asks for CPUID. More than one are of use to virtio devices only.
Result<std::vector<std::unique_ptr<IoThread>>> start_io_threads(const VmConfig& config,
                                                                const kvm::System& system,
                                                                ThreadSeal seal) {
  std::vector<std::unique_ptr<IoThread>> threads;
  const LoopOptions options = loop_options(config);
  threads.push_back(TRY(IoThread::start("io", options, &system, seal)));
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

/// How the threads of this run are confined; null: not at all, which is said.
ThreadSeal seal_for(const SandboxConfig& config) {
  if (!config.enabled) {
    log(LogLevel::kWarn,
        "no sandbox: a guest that breaks out of its machine has all that this user has");
    return nullptr;
  }
  if (!jail::kCanSeal) {
    log(LogLevel::kWarn, "no system call filters: this build has sanitizers, which need any call");
    return nullptr;
  }
  return &jail::seal_thread;
}

/// Confines this thread, and with it all that it will start, to what a start needs.
Result<void> enter_start(ThreadSeal seal) {
  if (seal == nullptr) return {};
  TRY(jail::report_forbidden_calls(static_cast<int>(ExitCode::kForbiddenCall),
                                   &RawTerminal::restore));
  return seal(ThreadRole::kStart);
}

/// Runs the machine until it ends and says what there is to say.
Result<ExitCode> run_to_end(Machine& machine, std::span<const std::unique_ptr<IoThread>> io,
                            Session& session, ThreadSeal seal) {
  for (const auto& thread : io) {
    thread->run_loop(Completion::to<&Session::on_loop_failure>(&session));
  }
  TRY(machine.run(io, seal, Completion::to<&Session::on_guest_end>(&session)));
  if (!io.front()->join() || !session.code()) TRY(end_loops(io));
  return session.code().value_or(ExitCode::kHostFailure);
}

int report(const Error& error) {
  std::fprintf(stderr, "mote: %s\n", error.message().c_str());
  return static_cast<int>(exit_code_for(error.fault()));
}

/// A VM from its parts to its end. Returns only if it could not be made.
Error run_vm(const VmConfig& config, Timeline& timeline) {
  UniqueFd signals = TRY(signals_to_read());
  // Before anything that takes time, so that what is typed meanwhile is not echoed.
  std::optional<RawTerminal> terminal;
  if (config.serial.mode == SerialMode::kStdio) terminal.emplace();
  const TimelineReport timeline_report = TRY(TimelineReport::open(config.timeline));
  const kvm::System system = TRY(kvm::System::open());
  const ThreadSeal seal = seal_for(config.sandbox);
  TRY(enter_start(seal));
  const auto io = TRY(start_io_threads(config, system, seal));
  const auto machine = TRY(Machine::create(config, system, io, timeline));
  if (!machine->console().pty_path().empty()) {
    std::fprintf(stderr, "mote: serial port: %s\n", machine->console().pty_path().c_str());
  }
  Session session(*machine, std::move(signals));
  // WHY there is no way back from here: sealed threads may not take anything apart, and the kernel
  // takes memory, VM and ring back at once, quicker than one destructor after the other.
  const Result<ExitCode> code = run_to_end(*machine, io, session, seal);
  terminal.reset();
  if (!code) ::_exit(report(code.error()));
  if (machine->end() && !machine->end()->report.empty()) {
    std::fprintf(stderr, "mote: %s\n", machine->end()->report.c_str());
  }
  timeline.mark("end");
  const auto written = timeline_report.write(timeline);
  ::_exit(written ? static_cast<int>(*code) : report(written.error()));
}

}  // namespace

int run_command(const VmConfig& config, Timeline& timeline) {
  // A second arena would cost more memory than the threads' rare allocations are worth. One source
  // of memory, brk, is what sealed threads are left with.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_MAX, 0);
  return report(run_vm(config, timeline));
}

}  // namespace mote
