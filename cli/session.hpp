// SPDX-License-Identifier: Apache-2.0
// The end of a running VM: whichever comes first, the guest, the user, a signal, or who asks for
// it.
#pragma once

#include <sys/signalfd.h>

#include <atomic>
#include <optional>

#include "cli/exit_code.hpp"
#include "core/loop_alarm.hpp"
#include "vmm/machine/machine.hpp"

namespace mote {

/// Stops the machine once, has its serial output written, and says when that is done. Lives on the
/// machine's loop.
class Session final : private AlarmHandler {
 public:
  /// Before the loop runs. `on_over` is called once, on the loop's thread, when there is nothing
  /// left to do; also when the loop itself has failed, and then there is no `code`. `signals` is a
  /// signalfd of cli/signals.hpp, which outlives the session.
  Session(Machine& machine, Completion on_over, int signals);

  Completion guest_end() { return Completion::to<&Session::on_guest_end>(this); }
  Completion loop_failure() { return Completion::to<&Session::on_loop_failure>(this); }

  /// Ends the run with `code`, unless it ends already. The loop's thread.
  void finish(ExitCode code);
  /// The same, on any thread but the loop's, in `delay_ms` from now.
  void finish_in(u32 delay_ms, ExitCode code);
  /// Set from `finish` on.
  std::optional<ExitCode> code() const { return code_; }

 private:
  /// A `finish` that is to come.
  class Delayed final : private AlarmHandler {
   public:
    explicit Delayed(Session& session);
    void arm(u32 delay_ms, ExitCode code);

   private:
    void on_alarm() override { session_.finish(code_.load()); }
    void on_posted(i32);

    Session& session_;
    LoopAlarm alarm_;
    std::atomic<ExitCode> code_{ExitCode::kPowerOff};
    std::atomic<u64> deadline_ns_{0};
  };

  void read_signal();
  void on_signal(i32);
  void on_guest_end(i32);
  void on_loop_failure(i32);
  void on_escape(i32) { finish(ExitCode::kUserEscape); }
  void on_flushed(i32);
  void on_alarm() override;
  void end();

  Machine& machine_;
  Completion on_over_;
  const int signals_;
  signalfd_siginfo signal_{};
  LoopAlarm flush_alarm_;
  Delayed delayed_;
  std::optional<ExitCode> code_;
  bool flushed_ = false;
};

}  // namespace mote
