// SPDX-License-Identifier: Apache-2.0
#include "tests/kvm/run_mote.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace mote::test {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void exec_mote(const char* program, const std::vector<std::string>& arguments) {
  std::vector<char*> words = {const_cast<char*>(program)};
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execv(program, words.data());
  ::_exit(127);
}

/// As an interactive shell does with `mote ... &`: in a process group that is not the terminal's
/// foreground one. Its exit code becomes the shell's.
[[noreturn]] void exec_behind_a_shell(const char* program,
                                      const std::vector<std::string>& arguments) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    exec_mote(program, arguments);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/// Appends what can be read from `fd` to `text`; false at its end.
bool drain(int fd, std::string& text) {
  char buffer[65536];
  const ssize_t got = ::read(fd, buffer, sizeof(buffer));
  if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments, Streams streams, const char* program) {
  int in[2] = {-1, -1};
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};
  EXPECT_EQ(::pipe2(err, O_CLOEXEC), 0);
  if (streams == Streams::kPipes) {
    EXPECT_EQ(::pipe2(in, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
    ::fcntl(out[1], F_SETPIPE_SZ, 4096);  // a slow reader is felt soon
    pid_ = ::fork();
  } else {
    pid_ = ::forkpty(&out_, nullptr, nullptr, nullptr);
  }
  start_ = Clock::now();
  if (pid_ == 0) {
    if (streams == Streams::kPipes) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
    }
    ::dup2(err[1], STDERR_FILENO);
    if (streams == Streams::kBackgroundOfTerminal) exec_behind_a_shell(program, arguments);
    exec_mote(program, arguments);
  }
  ::close(err[1]);
  err_ = err[0];
  if (streams == Streams::kPipes) {
    ::close(in[0]);
    ::close(out[1]);
    in_ = in[1];
    out_ = out[0];
  }
}

Process::~Process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (const int fd : {in_, out_, err_}) {
    if (fd >= 0) ::close(fd);
  }
}

void Process::type(const std::string& text) const {
  const int fd = in_ >= 0 ? in_ : out_;
  ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

void Process::close_input() {
  if (in_ >= 0) ::close(in_);
  in_ = -1;
}

bool is_gone(pid_t process) {
  for (int i = 0; i < 2000; ++i) {
    std::ifstream file("/proc/" + std::to_string(process) + "/status");
    std::string line;
    while (std::getline(file, line) && !line.starts_with("State:")) {
    }
    // A process that nobody waits for yet is a zombie: it has let go of everything.
    if (line.empty() || line.starts_with("State:\tZ")) return true;
    ::usleep(1000);
  }
  return false;
}

pid_t vm_process(pid_t mote) {
  const std::string self = std::to_string(mote);
  for (int i = 0; i < 1000; ++i) {
    std::ifstream children("/proc/" + self + "/task/" + self + "/children");
    pid_t youngest = 0;
    for (pid_t child = 0; children >> child;) youngest = child;
    if (youngest != 0) return youngest;
    ::usleep(1000);
  }
  return 0;
}

void Process::signal(int number) const {
  ::kill(pid_, number);
}

/// One turn of reading; false when both streams have ended or nothing came for `seconds`.
bool Process::read_some(double seconds) {
  pollfd streams[] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  if (out_ < 0 && err_ < 0) return false;
  if (::poll(streams, 2, static_cast<int>(seconds * 1000) + 1) <= 0) return false;
  if (streams[0].revents != 0 && !drain(out_, outcome_.out)) {
    ::close(out_);
    out_ = -1;
  }
  if (streams[1].revents != 0 && !drain(err_, outcome_.err)) {
    ::close(err_);
    err_ = -1;
  }
  return true;
}

bool Process::wait_for_output(const std::string& text, double seconds) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  while (outcome_.out.find(text) == std::string::npos) {
    const double left = std::chrono::duration<double>(deadline - Clock::now()).count();
    if (left <= 0 || !read_some(left)) return false;
  }
  return true;
}

Outcome Process::finish(double seconds) {
  const auto deadline = start_ + std::chrono::duration<double>(seconds);
  int status = 0;
  bool ended = false;
  // The exit counts, not the end of the streams: they may live on in somebody else's hands.
  while (!ended && Clock::now() < deadline) {
    ended = ::waitpid(pid_, &status, WNOHANG) == pid_;
    if (!ended) read_some(0.002);
  }
  outcome_.took = Clock::now() - start_;
  if (!ended) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status, 0);
  }
  pid_ = -1;
  while (read_some(0)) {
  }
  if (ended) outcome_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome_;
}

std::string guest(const std::string& name) {
  return std::string(GUEST_FOLDER) + "/" + name + (name.ends_with(".bin") ? "" : ".elf");
}

Outcome run_guest(const std::string& name, std::vector<std::string> arguments,
                  const std::string& input) {
  std::vector<std::string> words = {"run", "--kernel", guest(name)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  Process process(words);
  if (!input.empty()) process.type(input);
  process.close_input();
  return process.finish();
}

void expect_passes(const Outcome& outcome, int passes) {
  std::istringstream lines(outcome.out);
  int passed = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("PASS ")) ++passed;
    EXPECT_FALSE(line.starts_with("FAIL")) << line;
  }
  EXPECT_GE(passed, passes) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("DONE"), std::string::npos) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
}

double result(const Outcome& outcome, const std::string& name) {
  const std::string key = "result " + name + " ";
  const auto at = outcome.out.find(key);
  return at == std::string::npos ? -1 : std::atof(outcome.out.c_str() + at + key.size());
}

void KvmTest::SetUp() {
  const int fd = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (fd < 0) GTEST_SKIP() << "/dev/kvm cannot be opened here: " << std::strerror(errno);
  ::close(fd);
}

}  // namespace mote::test
