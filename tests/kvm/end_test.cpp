// SPDX-License-Identifier: Apache-2.0
// Every way a VM can end, each with its own exit code (docs/exit-codes.md).
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "tests/kvm/run_mote.hpp"

namespace mote::test {
namespace {

using End = KvmTest;

TEST_F(End, PowerOffBySleepControlIs0) {
  EXPECT_EQ(run_guest("hello").exit_code, 0);
}

TEST_F(End, PowerOffByPort604Is0) {
  EXPECT_EQ(run_guest("power_off_pm1").exit_code, 0);
}

TEST_F(End, ResetRegisterIs16) {
  EXPECT_EQ(run_guest("reset_acpi").exit_code, 16);
}

TEST_F(End, KeyboardControllerResetIs16) {
  EXPECT_EQ(run_guest("reset_i8042").exit_code, 16);
}

TEST_F(End, TripleFaultIs17) {
  const Outcome outcome = run_guest("triple_fault");
  EXPECT_EQ(outcome.exit_code, 17);
  EXPECT_NE(outcome.err.find("vCPU 0: triple fault"), std::string::npos) << outcome.err;
}

TEST_F(End, InternalErrorIs18AndSaysWhereAndWhy) {
  const Outcome outcome = run_guest("internal_error");
  EXPECT_EQ(outcome.exit_code, 18);
  EXPECT_NE(outcome.err.find("vCPU 0 stopped at rip 0x"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("likely cause"), std::string::npos) << outcome.err;
}

class EndBySignal : public KvmTest {
 protected:
  /// The exit code after `number` was sent to a monitor whose guest idles, and how long it took.
  int send(int number) {
    Process process({"run", "--kernel", guest("halt_forever"), "--vcpus", "2"});
    EXPECT_TRUE(process.wait_for_output("idle"));
    const auto sent = std::chrono::steady_clock::now();
    process.signal(number);
    const int code = process.finish().exit_code;
    EXPECT_LT(std::chrono::steady_clock::now() - sent, std::chrono::milliseconds(500));
    return code;
  }
};

TEST_F(EndBySignal, TermIs143) {
  EXPECT_EQ(send(SIGTERM), 143);
}

TEST_F(EndBySignal, IntIs130) {
  EXPECT_EQ(send(SIGINT), 130);
}

TEST_F(EndBySignal, ServedWhileTheGuestSpins) {
  Process process({"run", "--kernel", guest("bench"), "--cmdline",
                   "work=spin ring=3 iterations=1000000000000"});
  EXPECT_FALSE(process.wait_for_output("result spin", 0.5));  // it is in its loop
  process.signal(SIGTERM);
  EXPECT_EQ(process.finish().exit_code, 143);
}

class EndAtTerminal : public KvmTest {
 protected:
  static tcflag_t local_flags(const Process& process) {
    termios settings{};
    EXPECT_EQ(::tcgetattr(process.terminal(), &settings), 0);
    return settings.c_lflag;
  }
};

TEST_F(EndAtTerminal, CtrlAxIs20AndTheTerminalIsRestored) {
  Process process({"run", "--kernel", guest("halt_forever")}, Process::Streams::kTerminal);
  ASSERT_TRUE(process.wait_for_output("idle"));
  EXPECT_EQ(local_flags(process) & (ICANON | ECHO), 0u);
  process.type("\x01x");
  // The terminal's settings can be asked for as long as somebody holds its other end open.
  EXPECT_EQ(process.finish().exit_code, 20);
}

TEST_F(EndAtTerminal, InTheBackgroundTheVmGoesOn) {
  Process process({"run", "--kernel", guest("hello")}, Process::Streams::kBackgroundOfTerminal);
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.out.find("Hello"), std::string::npos) << outcome.out;
}

TEST_F(EndAtTerminal, SettingsReturnWhenAFatalSignalComes) {
  // A shell that keeps the terminal open behind the monitor is played by this process's own copy.
  Process process({"run", "--kernel", guest("halt_forever")}, Process::Streams::kTerminal);
  ASSERT_TRUE(process.wait_for_output("idle"));
  const std::string path = ::ptsname(process.terminal());
  const int kept = ::open(path.c_str(), O_RDWR | O_NOCTTY);
  ASSERT_GE(kept, 0);
  process.signal(SIGQUIT);
  const Outcome outcome = process.finish();
  termios settings{};
  ASSERT_EQ(::tcgetattr(kept, &settings), 0);
  ::close(kept);
  EXPECT_EQ(outcome.exit_code, 128 + SIGQUIT);
  EXPECT_EQ(settings.c_lflag & (ICANON | ECHO), static_cast<tcflag_t>(ICANON | ECHO));
}

}  // namespace
}  // namespace mote::test
