// SPDX-License-Identifier: Apache-2.0
// The console on a real loop: pipes, files and ptys on one side, a serial port on the other. The
// test's own thread plays the vCPU.
#include "vmm/machine/console.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "tests/unit/core/loop_thread.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote {
namespace {

using test::Pipe;

constexpr u64 kData = 0, kFcr = 2, kMcr = 4, kLsr = 5;
constexpr u8 kDataReady = 0x01, kHoldingEmpty = 0x20;
constexpr std::size_t kCapacity = 64 * kKiB;

std::string pattern(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('a' + i % 23);
  return text;
}

/// Reads until `size` bytes came, the end, or patience's.
std::string read_text(int fd, std::size_t size) {
  std::string text;
  while (text.size() < size) {
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, 30'000) != 1) break;
    char part[4096];
    const ssize_t got = ::read(fd, part, std::min(sizeof(part), size - text.size()));
    if (got <= 0) break;
    text.append(part, static_cast<std::size_t>(got));
  }
  return text;
}

/// True as soon as `condition` holds, false when patience ends.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + test::kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// Puts other files in the place of standard input and output while it lives.
class StandardFiles {
 public:
  StandardFiles(int input, int output) {
    std::fflush(stdout);
    CHECK(::dup2(input, 0) == 0 && ::dup2(output, 1) == 1, "standard files can be replaced");
  }
  ~StandardFiles() {
    ::dup2(saved_input_.get(), 0);
    ::dup2(saved_output_.get(), 1);
  }
  StandardFiles(const StandardFiles&) = delete;
  StandardFiles& operator=(const StandardFiles&) = delete;

 private:
  UniqueFd saved_input_{::fcntl(0, F_DUPFD_CLOEXEC, 3)};
  UniqueFd saved_output_{::fcntl(1, F_DUPFD_CLOEXEC, 3)};
};

/// A console with its port and loop.
class Fixture {
 public:
  explicit Fixture(const SerialConfig& config) {
    ::signal(SIGPIPE, SIG_IGN);
    auto end = ConsoleEnd::open(config);
    CHECK(end.has_value(), "the host's end can be opened");
    pty_path_ = end->pty_path;
    console_ = std::make_unique<Console>(*std::move(end), thread_.loop(), timeline_);
    serial_.emplace(line_, *console_);
    write8(*serial_, kFcr, 0x01);
    write8(*serial_, kMcr, 0x0b);  // as a driver does that takes input: DTR, RTS, OUT2
    console_->set_escape(escapes.completion());
    console_->start(*serial_);
    thread_.start();
  }
  ~Fixture() { thread_.stop(); }

  Console& console() { return *console_; }
  const std::string& pty_path() const { return pty_path_; }
  test::LoopThread& thread() { return thread_; }
  void put(std::string_view text) { console_->put(std::as_bytes(std::span(text))); }
  /// As a driver does: waits while the transmitter is not empty.
  void send(std::string_view text) {
    for (const char c : text) {
      while ((read8(*serial_, kLsr) & kHoldingEmpty) == 0) std::this_thread::yield();
      write8(*serial_, kData, static_cast<u8>(c));
    }
  }
  /// Takes `size` bytes of input from the port; fewer when patience ends.
  std::string receive(std::size_t size) {
    std::string text;
    while (text.size() < size &&
           eventually([this] { return (read8(*serial_, kLsr) & kDataReady) != 0; })) {
      text += static_cast<char>(read8(*serial_, kData));
    }
    return text;
  }
  Serial& serial() { return *serial_; }
  void finish() {
    thread_.call([this] { console_->finish(finished.completion()); });
  }
  std::string table() {
    thread_.stop();
    return timeline_.table();
  }

  test::Results escapes;
  test::Results finished;

 private:
  /// The line is driven by two threads, under the port's lock.
  FakeLine line_;
  Timeline timeline_;
  test::LoopThread thread_;
  std::string pty_path_;
  std::unique_ptr<Console> console_;
  std::optional<Serial> serial_;
};

/// Standard files are pipes of the test's.
struct ConsolePipes : testing::Test {
  Pipe input, output;
  StandardFiles files{input.reader.get(), output.writer.get()};
  Fixture fixture{{.mode = SerialMode::kStdio, .path = {}}};

  ConsolePipes() { output.writer.reset(); }  // standard output is the last end
  void type(std::string_view text) {
    ASSERT_EQ(::write(input.writer.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
};

TEST_F(ConsolePipes, OutputArrivesInOrderThoughTheReaderIsSlow) {
  const std::string sent = pattern(300'000);
  std::thread vcpu([&] { fixture.send(sent); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the pipe and the buffer fill up
  const std::string got = read_text(output.reader.get(), sent.size());
  vcpu.join();
  EXPECT_TRUE(got == sent) << got.size();
  EXPECT_EQ(fixture.serial().counters().send_dropped, 0u);
}

TEST_F(ConsolePipes, RoomShrinksWhileNobodyReadsAndRecovers) {
  EXPECT_EQ(fixture.console().room(), kCapacity);
  std::size_t put = 0;
  while (const std::size_t room = fixture.console().room()) {
    const std::string part = pattern(std::min<std::size_t>(room, 1000));
    fixture.put(part);
    put += part.size();
    if (put > 1'000'000) break;  // the pipe takes 64 KiB, the buffer as much
    if (put > 4 * kCapacity) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_LE(put, 3 * kCapacity);
  EXPECT_EQ(read_text(output.reader.get(), put).size(), put);
  EXPECT_TRUE(eventually([this] { return fixture.console().room() == kCapacity; }));
}

TEST_F(ConsolePipes, FinishWithoutOutputIsAtOnce) {
  fixture.finish();
  EXPECT_EQ(fixture.finished.count(), 1u);
}

TEST_F(ConsolePipes, FinishWaitsForPendingOutput) {
  std::size_t put = 0;
  while (put < 100'000) {  // more than the pipe holds
    const std::string part = pattern(std::min<std::size_t>(fixture.console().room(), 1000));
    fixture.put(part);
    put += part.size();
  }
  fixture.finish();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(fixture.finished.count(), 0u);
  EXPECT_EQ(read_text(output.reader.get(), put).size(), put);
  EXPECT_EQ(fixture.finished.wait(1).size(), 1u);
}

TEST_F(ConsolePipes, TheGuestGoesOnWhenTheReaderIsGone) {
  testing::internal::CaptureStderr();
  output.reader.reset();
  fixture.send(pattern(200'000));
  fixture.finish();
  EXPECT_EQ(fixture.finished.wait(1).size(), 1u);
  fixture.thread().stop();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("Broken pipe"), std::string::npos) << log;
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << "said once";
  EXPECT_EQ(fixture.serial().counters().send_dropped, 0u);
}

TEST_F(ConsolePipes, FinishEndsWhenTheReaderGoesWhileOutputWaits) {
  testing::internal::CaptureStderr();
  std::size_t put = 0;
  while (put < 100'000) {
    const std::string part = pattern(std::min<std::size_t>(fixture.console().room(), 1000));
    fixture.put(part);
    put += part.size();
  }
  fixture.finish();
  output.reader.reset();
  EXPECT_EQ(fixture.finished.wait(1).size(), 1u);
  fixture.thread().stop();
  testing::internal::GetCapturedStderr();
}

TEST_F(ConsolePipes, InputIsPulledOnlyWhileThePortHasRoom) {
  const std::string typed = pattern(1000);
  type(typed);
  // One FIFO is taken, the rest stays in the pipe.
  ASSERT_TRUE(
      eventually([this] { return fixture.serial().counters().received == Serial::kReceiveFifo; }));
  fixture.thread().call([] {});
  int waiting = 0;
  ASSERT_EQ(::ioctl(input.reader.get(), FIONREAD, &waiting), 0);
  EXPECT_EQ(waiting, 1000 - static_cast<int>(Serial::kReceiveFifo));
  EXPECT_EQ(fixture.receive(typed.size()), typed);
  EXPECT_EQ(fixture.serial().counters().receive_dropped, 0u);
}

TEST_F(ConsolePipes, CtrlAIsOrdinaryInputOfAPipe) {
  type("a\x01x");
  EXPECT_EQ(fixture.receive(3), "a\x01x");
  EXPECT_EQ(fixture.escapes.count(), 0u);
}

TEST_F(ConsolePipes, OutputGoesOnAfterTheEndOfInput) {
  type("last");
  input.writer.reset();
  EXPECT_EQ(fixture.receive(4), "last");
  fixture.send("still here");
  EXPECT_EQ(read_text(output.reader.get(), 10), "still here");
}

TEST_F(ConsolePipes, TheFirstByteIsOnTheTimelineOnce) {
  fixture.send("ab");
  EXPECT_EQ(read_text(output.reader.get(), 2), "ab");
  const std::string table = fixture.table();
  EXPECT_NE(table.find("first serial byte"), std::string::npos);
  EXPECT_EQ(table.find("first serial byte"), table.rfind("first serial byte"));
}

u64 cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

/// What another program left non-blocking must work, and not by asking again and again.
TEST(ConsoleNonblocking, WaitingCostsNoCpuTime) {
  Pipe input(O_NONBLOCK), output(O_NONBLOCK);
  const StandardFiles files(input.reader.get(), output.writer.get());
  Fixture fixture({.mode = SerialMode::kStdio, .path = {}});
  std::size_t put = 0;
  while (put < 100'000) {
    const std::string part = pattern(std::min<std::size_t>(fixture.console().room(), 1000));
    fixture.put(part);
    put += part.size();
  }
  const u64 before = cpu_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(cpu_ns() - before, 30'000'000u) << "of 300 ms";
  EXPECT_EQ(read_text(output.reader.get(), put).size(), put);
  ASSERT_EQ(::write(input.writer.get(), "typed", 5), 5);
  EXPECT_EQ(fixture.receive(5), "typed");
}

/// Standard input is a terminal; the test types at its other end.
struct ConsoleTerminal : testing::Test {
  UniqueFd keyboard, terminal;
  Pipe output;
  std::unique_ptr<StandardFiles> files;
  std::unique_ptr<Fixture> fixture;

  ConsoleTerminal() {
    int master = -1, slave = -1;
    termios raw{};
    ::cfmakeraw(&raw);
    CHECK(::openpty(&master, &slave, nullptr, &raw, nullptr) == 0, "a pty can be made");
    keyboard.reset(master);
    terminal.reset(slave);
    files = std::make_unique<StandardFiles>(slave, output.writer.get());
    fixture = std::make_unique<Fixture>(SerialConfig{.mode = SerialMode::kStdio, .path = {}});
  }
  void type(std::string_view text) {
    ASSERT_EQ(::write(keyboard.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
};

TEST_F(ConsoleTerminal, WaitingForANonblockingOneCostsNoCpuTime) {
  ASSERT_EQ(::fcntl(terminal.get(), F_SETFL, O_RDWR | O_NONBLOCK), 0);
  type("1");
  ASSERT_EQ(fixture->receive(1), "1");
  const u64 before = cpu_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(cpu_ns() - before, 30'000'000u) << "of 300 ms";
  type("2");
  EXPECT_EQ(fixture->receive(1), "2");
}

TEST_F(ConsoleTerminal, CtrlAXIsTheEscapeAndNoInput) {
  type("1\x01x2");
  EXPECT_EQ(fixture->escapes.wait(1).size(), 1u);
  EXPECT_EQ(fixture->receive(2), "12");
}

TEST_F(ConsoleTerminal, CtrlATwiceIsOneCtrlA) {
  type("\x01\x01x.");
  EXPECT_EQ(fixture->receive(3), "\x01x.");
  EXPECT_EQ(fixture->escapes.count(), 0u);
}

TEST_F(ConsoleTerminal, TheEscapeMayComeInTwoReads) {
  type("1\x01");
  EXPECT_EQ(fixture->receive(1), "1");
  type("x");
  EXPECT_EQ(fixture->escapes.wait(1).size(), 1u);
}

TEST_F(ConsoleTerminal, AnXAloneIsAnX) {
  type("xx");
  EXPECT_EQ(fixture->receive(2), "xx");
  EXPECT_EQ(fixture->escapes.count(), 0u);
}

TEST(ConsolePty, CarriesBytesBothWaysUnchanged) {
  Fixture fixture({.mode = SerialMode::kPty, .path = {}});
  auto other_end = open_file(fixture.pty_path(), O_RDWR | O_NOCTTY);
  ASSERT_TRUE(other_end.has_value());
  fixture.send("out\r\n\n");
  EXPECT_EQ(read_text(other_end->get(), 6), "out\r\n\n");
  ASSERT_EQ(::write(other_end->get(), "\x03in\x01x\r\n", 7), 7);
  EXPECT_EQ(fixture.receive(7), "\x03in\x01x\r\n");
}

TEST(ConsolePty, ALaterUserFindsItAlive) {
  Fixture fixture({.mode = SerialMode::kPty, .path = {}});
  for (const char* text : {"first", "again"}) {
    auto user = open_file(fixture.pty_path(), O_RDWR | O_NOCTTY);
    ASSERT_TRUE(user.has_value());
    ASSERT_EQ(::write(user->get(), text, 5), 5);
    EXPECT_EQ(fixture.receive(5), text);
  }
}

TEST(ConsoleFile, HoldsWhatWasSentAndNothingOlder) {
  char path[] = "/tmp/mote-console-XXXXXX";
  const UniqueFd file(::mkstemp(path));
  ASSERT_EQ(::write(file.get(), "older and longer", 16), 16);
  const std::string sent = pattern(200'000);
  {
    Fixture fixture({.mode = SerialMode::kFile, .path = path});
    fixture.send(sent);
    fixture.finish();
    EXPECT_EQ(fixture.finished.wait(1).size(), 1u);
  }
  std::string got(sent.size() + 1, '\0');
  got.resize(static_cast<std::size_t>(::pread(file.get(), got.data(), got.size(), 0)));
  EXPECT_TRUE(got == sent) << got.size();
  ::unlink(path);
}

TEST(ConsoleFile, SaysWhatCouldNotBeOpened) {
  const auto end = ConsoleEnd::open({.mode = SerialMode::kFile, .path = "/nowhere/serial.log"});
  ASSERT_FALSE(end.has_value());
  EXPECT_EQ(end.error().message().find("cannot open '/nowhere/serial.log': "), 0u);
  EXPECT_NE(end.error().message().find(" -- "), std::string::npos);
}

TEST(ConsoleNone, SwallowsOutputAndIsAlwaysDone) {
  Fixture fixture({.mode = SerialMode::kNone, .path = {}});
  fixture.send(pattern(200'000));
  EXPECT_EQ(fixture.console().room(), kCapacity);
  fixture.finish();
  EXPECT_EQ(fixture.finished.count(), 1u);
}

}  // namespace
}  // namespace mote
