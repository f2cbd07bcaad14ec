// SPDX-License-Identifier: Apache-2.0
#include "cli/session.hpp"

#include <csignal>
#include <span>
#include <utility>

#include "core/log.hpp"

namespace mote {
namespace {

/// How long a reader of the serial output may take for what is left at the end.
constexpr u64 kFlushTimeNs = 1'000'000'000;
constexpr u64 kNsPerMs = 1'000'000;

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

}  // namespace

Session::Delayed::Delayed(Session& session) : session_(session), alarm_(session.machine_.loop()) {
  AlarmHandler& handler = *this;
  alarm_.set_handler(handler);
}

void Session::Delayed::arm(u32 delay_ms, ExitCode code) {
  code_ = code;
  deadline_ns_ = alarm_.now_ns() + delay_ms * kNsPerMs;
  session_.machine_.loop().post(Completion::to<&Delayed::on_posted>(this));
}

void Session::Delayed::on_posted(i32) {
  alarm_.arm(deadline_ns_);
}

Session::Session(Machine& machine, Completion on_over, int signals)
    : machine_(machine),
      on_over_(on_over),
      signals_(signals),
      flush_alarm_(machine.loop()),
      delayed_(*this) {
  AlarmHandler& handler = *this;
  flush_alarm_.set_handler(handler);
  machine_.console().set_escape(Completion::to<&Session::on_escape>(this));
  read_signal();
}

void Session::read_signal() {
  machine_.loop().read(signals_, std::as_writable_bytes(std::span(&signal_, 1)),
                       Completion::to<&Session::on_signal>(this));
}

void Session::on_signal(i32) {
  if (signal_.ssi_signo == SIGUSR1) {
    machine_.disks().look_at_sizes();
    return read_signal();
  }
  finish(signal_.ssi_signo == SIGINT ? ExitCode::kInterrupted : ExitCode::kTerminated);
}

void Session::on_guest_end(i32) {
  finish(exit_code(machine_.end()->kind));
}

/// Without its loop there is nobody to stop the guest later, or to serve its devices.
void Session::on_loop_failure(i32) {
  machine_.stop();
  end();
}

void Session::finish(ExitCode code) {
  if (code_) return;
  code_ = code;
  machine_.stop();
  machine_.console().finish(Completion::to<&Session::on_flushed>(this));
  if (!flushed_) flush_alarm_.arm(flush_alarm_.now_ns() + kFlushTimeNs);
}

void Session::finish_in(u32 delay_ms, ExitCode code) {
  delayed_.arm(delay_ms, code);
}

void Session::on_flushed(i32) {
  flushed_ = true;
  end();
}

void Session::on_alarm() {
  log(LogLevel::kWarn, "nobody reads the serial output: what is left of it is lost");
  end();
}

/// Once: a reader that comes at the last moment may be as late as the alarm.
void Session::end() {
  const Completion on_over = std::exchange(on_over_, Completion());
  if (on_over.function != nullptr) on_over.function(on_over.context, 0);
}

}  // namespace mote
