// SPDX-License-Identifier: Apache-2.0
// An event loop whose ring fails in the middle of a run: the kernel's answer to one call is changed
// from outside, as a debugger can.
#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "tests/kvm/run_mote.hpp"

namespace mote::test {
namespace {

/// The thread of `process` that is called `name`; 0 when there is none.
pid_t find_thread(pid_t process, const std::string& name) {
  const std::string folder = "/proc/" + std::to_string(process) + "/task";
  DIR* const threads = ::opendir(folder.c_str());
  if (threads == nullptr) return 0;
  pid_t found = 0;
  while (const dirent* entry = ::readdir(threads)) {
    std::ifstream file(folder + "/" + entry->d_name + "/comm");
    std::string comm;
    if (std::getline(file, comm) && comm == name) found = std::atoi(entry->d_name);
  }
  ::closedir(threads);
  return found;
}

bool stops(pid_t thread) {
  int status = 0;
  return ::waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status);
}

/// Runs `thread` until it has called io_uring_enter, and has it believe that the answer was
/// `error`, an errno. The kernel sees another call, which does nothing.
void fail_next_enter(pid_t thread, long error) {
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, thread, nullptr, PTRACE_O_TRACESYSGOOD), 0)
      << std::strerror(errno);
  ASSERT_EQ(::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr), 0);
  ASSERT_TRUE(stops(thread));
  for (;;) {
    ASSERT_EQ(::ptrace(PTRACE_SYSCALL, thread, nullptr, nullptr), 0);
    ASSERT_TRUE(stops(thread));
    __ptrace_syscall_info info{};
    ASSERT_GT(::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info), 0);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_io_uring_enter) break;
  }
  user_regs_struct registers{};
  ASSERT_EQ(::ptrace(PTRACE_GETREGS, thread, nullptr, &registers), 0);
  registers.orig_rax = SYS_sched_yield;  // none at all would be a call that no filter allows
  ASSERT_EQ(::ptrace(PTRACE_SETREGS, thread, nullptr, &registers), 0);
  ASSERT_EQ(::ptrace(PTRACE_SYSCALL, thread, nullptr, nullptr), 0);
  ASSERT_TRUE(stops(thread));
  ASSERT_EQ(::ptrace(PTRACE_GETREGS, thread, nullptr, &registers), 0);
  registers.rax = static_cast<unsigned long long>(-error);
  ASSERT_EQ(::ptrace(PTRACE_SETREGS, thread, nullptr, &registers), 0);
  ASSERT_EQ(::ptrace(PTRACE_DETACH, thread, nullptr, nullptr), 0);
}

class LoopFailure : public KvmTest {
 protected:
  /// What becomes of a run whose loop of this name fails while the guest idles.
  static Outcome fail(const std::string& thread, std::vector<std::string> arguments = {}) {
    std::vector<std::string> words = {"run", "--kernel", guest("halt_forever"), "--vcpus", "2"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    Process process(words);
    EXPECT_TRUE(process.wait_for_output("idle"));
    const pid_t tid = find_thread(process.vm_pid(), thread);
    EXPECT_NE(tid, 0);
    if (tid == 0) return {};
    // A loop that sleeps is woken by nothing but the debugger, which the kernel answers with EINTR.
    fail_next_enter(tid, ENOMEM);
    const auto failed = std::chrono::steady_clock::now();
    const Outcome outcome = process.finish();
    EXPECT_LT(std::chrono::steady_clock::now() - failed, std::chrono::seconds(5));
    return outcome;
  }
  static void expect_told(const Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
    EXPECT_NE(
        outcome.err.find("cannot wait for io_uring completions: Cannot allocate memory (ENOMEM)"),
        std::string::npos)
        << outcome.err;
    EXPECT_EQ(outcome.out, "idle\n");
  }
};

TEST_F(LoopFailure, OfTheOnlyLoopStopsTheGuestAndIs1) {
  expect_told(fail("io"));
}

TEST_F(LoopFailure, OfADisksLoopDoesSoToo) {
  char path[] = "/tmp/mote-loop-XXXXXX";
  const int fd = ::mkstemp(path);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::ftruncate(fd, 1 << 20), 0);
  ::close(fd);
  expect_told(fail("io1", {"--io-threads", "2", "--block", path}));
  ::unlink(path);
}

}  // namespace
}  // namespace mote::test
