// SPDX-License-Identifier: Apache-2.0
// The serial port's host side: stdio, file, pty, none; readers that are slow or gone; the timeline.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/kvm/run_mote.hpp"

namespace mote::test {
namespace {

/// What the serial_flood guest writes for `kib`.
std::string flood(int kib) {
  std::string text;
  unsigned long sum = 0;
  const int lines = kib * 1024 / 64;
  for (int line = 0; line < lines; ++line) {
    for (int i = 0; i < 63; ++i) text += static_cast<char>(33 + (line + i) % 90);
    text += '\n';
  }
  for (const char byte : text) sum += static_cast<unsigned char>(byte);
  return text + "bytes " + std::to_string(lines * 64) + " sum " + std::to_string(sum) + "\nDONE\n";
}

std::string temporary_file() {
  char path[] = "/tmp/mote-test-XXXXXX";
  const int fd = ::mkstemp(path);
  EXPECT_GE(fd, 0);
  ::close(fd);
  return path;
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

using Console = KvmTest;

TEST_F(Console, HelloArrivesWhole) {
  const Outcome outcome = run_guest("hello", {"--vcpus", "2", "--cmdline", "one two"});
  EXPECT_NE(outcome.out.find("vCPUs 2"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("\"one two\""), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.err, "");
}

TEST_F(Console, NothingIsLostBeforeASlowReader) {
  Process process({"run", "--kernel", guest("serial_flood"), "--cmdline", "kib=100"});
  // The pipe and the monitor's buffer fill up long before.
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, flood(100));
}

TEST_F(Console, AReaderWhoNeverReadsDoesNotKeepTheVm) {
  Process process({"run", "--kernel", guest("serial_flood"), "--cmdline", "kib=1000"});
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto sent = std::chrono::steady_clock::now();
  process.signal(SIGTERM);
  // Not `finish`, which would read.
  while (::kill(process.pid(), 0) == 0 &&
         std::chrono::steady_clock::now() - sent < std::chrono::seconds(5)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    char state = 0;
    std::ifstream stat("/proc/" + std::to_string(process.pid()) + "/stat");
    std::string words;
    stat >> words >> words >> state;
    if (state == 'Z') break;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - sent, std::chrono::seconds(3));
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 143);
  EXPECT_NE(outcome.err.find("nobody reads the serial output"), std::string::npos) << outcome.err;
}

TEST_F(Console, GuestGoesOnWhenTheReaderIsGone) {
  const Outcome outcome = run_guest("hello", {"--serial", "file:/dev/full"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.err.find("serial output is lost"), std::string::npos) << outcome.err;
}

TEST_F(Console, FileHoldsTheOutput) {
  const std::string path = temporary_file();
  const Outcome outcome =
      run_guest("serial_flood", {"--cmdline", "kib=8", "--serial", "file:" + path});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(content(path), flood(8));
  ::unlink(path.c_str());
}

TEST_F(Console, FileThatCannotBeMadeIsNamed) {
  const Outcome outcome = run_guest("hello", {"--serial", "file:/nowhere/at/all"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("'/nowhere/at/all'"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("ENOENT"), std::string::npos) << outcome.err;
}

TEST_F(Console, NoneIsSilent) {
  const Outcome outcome = run_guest("hello", {"--serial", "none"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "");
}

TEST_F(Console, PtyIsNamedAndCarriesBothWays) {
  Process process(
      {"run", "--kernel", guest("serial_irq"), "--cmdline", "input=5", "--serial", "pty"});
  // The name comes first, on standard error.
  std::string name;
  for (int i = 0; i < 200 && name.empty(); ++i) {
    process.wait_for_output("never", 0.02);
    const std::string err = process.errors();
    const auto at = err.find("/dev/pts/");
    const auto end = err.find('\n', at == std::string::npos ? 0 : at);
    if (at != std::string::npos && end != std::string::npos) name = err.substr(at, end - at);
  }
  ASSERT_NE(name, "");
  const int terminal = ::open(name.c_str(), O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(::write(terminal, "hello", 5), 5);
  std::string seen;
  while (seen.find("DONE") == std::string::npos) {
    pollfd readable{terminal, POLLIN, 0};
    char buffer[512];
    if (::poll(&readable, 1, 10000) <= 0) break;
    const ssize_t got = ::read(terminal, buffer, sizeof(buffer));
    if (got <= 0) break;
    seen.append(buffer, static_cast<std::size_t>(got));
  }
  EXPECT_NE(seen.find("hello"), std::string::npos) << seen;
  EXPECT_NE(seen.find("DONE"), std::string::npos) << seen;
  EXPECT_EQ(process.finish().exit_code, 0);
  ::close(terminal);
}

TEST_F(Console, LongInputArrivesWhole) {
  const std::string input(20000, 'x');
  const Outcome outcome = run_guest("serial_irq", {"--cmdline", "input=20000"}, input);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out.find("FAIL"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("DONE"), std::string::npos) << outcome.out;
}

TEST_F(Console, TimelineTableNamesEveryStep) {
  const Outcome outcome = run_guest("hello", {"--timeline"});
  for (const char* step :
       {"process started", "configuration read", "VM created", "memory set", "image loaded",
        "vCPU 0 runs", "first guest exit", "guest: kernel entered", "guest: init reached",
        "first serial byte", "guest ended", "end"}) {
    EXPECT_NE(outcome.err.find(step), std::string::npos) << step << " in:\n" << outcome.err;
  }
}

TEST_F(Console, TimelineFileIsATrace) {
  const std::string path = temporary_file();
  EXPECT_EQ(run_guest("hello", {"--timeline=" + path}).exit_code, 0);
  const std::string trace = content(path);
  EXPECT_TRUE(trace.starts_with("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")) << trace;
  EXPECT_NE(trace.find("\"name\":\"guest: init reached\",\"cat\":\"guest\",\"ph\":\"X\""),
            std::string::npos)
      << trace;
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace mote::test
