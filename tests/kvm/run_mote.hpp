// SPDX-License-Identifier: Apache-2.0
// Runs the mote binary on a guest of the project's and collects what came of it.
#pragma once

#include <gtest/gtest.h>

#include <sys/types.h>
#include <chrono>
#include <string>
#include <vector>

namespace mote::test {

/// What a finished process left behind.
struct Outcome {
  int exit_code =
      -1;  ///< 128 + number when a signal ended it; -1 when it had to be killed for time
  std::string out;
  std::string err;
  std::chrono::duration<double> took{};
};

/// The process of the VM itself, which `mote`, the one that was started, supervises: the last that
/// it made. Waits for it; 0 when there is none.
pid_t vm_process(pid_t mote);

/// Waits for the end of a process, anybody's; false when it does not come.
bool is_gone(pid_t process);

/// A mote process with pipes (or a terminal of its own) at its standard streams.
class Process {
 public:
  enum class Streams { kPipes, kTerminal, kBackgroundOfTerminal };

  /// Starts `mote`, or another program, with these arguments.
  explicit Process(const std::vector<std::string>& arguments, Streams streams = Streams::kPipes,
                   const char* program = MOTE_BINARY);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  pid_t vm_pid() const { return vm_process(pid_); }
  /// The terminal's host side, with the streams that are one.
  int terminal() const { return out_; }
  void type(const std::string& text) const;
  void close_input();
  void signal(int number) const;
  /// Reads until standard output holds `text`; false when it does not come in time.
  bool wait_for_output(const std::string& text, double seconds = 20);
  /// Waits for the end, reading on.
  Outcome finish(double seconds = 30);
  const std::string& output() const { return outcome_.out; }
  const std::string& errors() const { return outcome_.err; }

 private:
  bool read_some(double seconds);

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::chrono::steady_clock::time_point start_;
  Outcome outcome_;
};

/// The path of a guest of the project's: "hello" (an ELF file), "cmdline_bzimage.bin".
std::string guest(const std::string& name);

/// `mote run --kernel GUEST ...` to its end.
Outcome run_guest(const std::string& name, std::vector<std::string> arguments = {},
                  const std::string& input = {});

/// What a guest says of itself holds: no FAIL line, `passes` PASS lines at the least, DONE, exit
/// code 0.
void expect_passes(const Outcome& outcome, int passes);

/// The number in the line `result NAME N ...`; -1 when there is none.
double result(const Outcome& outcome, const std::string& name);

/// Skips the test, with its reason, where /dev/kvm cannot be opened.
class KvmTest : public ::testing::Test {
 protected:
  void SetUp() override;
};

}  // namespace mote::test
