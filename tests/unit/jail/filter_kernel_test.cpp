// SPDX-License-Identifier: Apache-2.0
// The compiled filters under the kernel: processes that load one and make calls.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <csignal>

#include "jail/seccomp/filter.hpp"
#include "tests/unit/jail/filter_call.hpp"

namespace mote::test {
namespace {

constexpr int kTrapped = 77;
constexpr int kNotLoaded = 78;
constexpr int kAsExpected = 79;
constexpr u32 kX32 = 0x40000000;

long make(const Call& call) {
  const auto& a = call.arguments;
  return ::syscall(call.number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/// In a child: what tells a call that was trapped.
void handle_traps(void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  ::sigaction(SIGSYS, &action, nullptr);
}

void end_as_trapped(int) {
  ::syscall(SYS_exit_group, kTrapped);
}

void step_over_ud2(int, siginfo_t*, void* context) {
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
}

/// rt_sigreturn as it is meant to be made. By itself it would take whatever lies on the stack for
/// the registers and the signal mask to go on with.
void return_from_a_handler() {
  asm volatile("ud2");
}

/// How a child ended that loaded the filter of `role` and then did `act`: its wait status.
template <class Act>
int status_of(ThreadRole role, void (*on_trap)(int), Act act) {
  const pid_t child = ::fork();
  if (child == 0) {
    handle_traps(on_trap);
    struct sigaction on_ud2{};
    on_ud2.sa_sigaction = &step_over_ud2;
    on_ud2.sa_flags = SA_SIGINFO;
    ::sigaction(SIGILL, &on_ud2, nullptr);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!jail::load_filter(jail::filter_for(role))) ::_exit(kNotLoaded);
    act();
    ::syscall(SYS_exit_group, 0);
  }
  // A call with useless arguments returns at once; what made its way to a state in which it does
  // not was not trapped either.
  int status = 0;
  for (int tries = 0; tries < 5000; ++tries) {
    if (::waitpid(child, &status, WNOHANG) == child) return status;
    ::usleep(tries < 100 ? 50 : 1000);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return status;
}

bool is_trapped(ThreadRole role, const Call& call) {
  const int status = status_of(role, &end_as_trapped, [&call] {
    if (call.number == SYS_rt_sigreturn) return return_from_a_handler();
    make(call);
  });
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == kNotLoaded) << "cannot load the filter";
  EXPECT_FALSE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << "killed, not trapped";
  return WIFEXITED(status) && WEXITSTATUS(status) == kTrapped;
}

class FilterKernel : public testing::TestWithParam<ThreadRole> {
 protected:
  const ThreadRole role = GetParam();
  const std::vector<jail::Rule> rules = rules_of(role);
};

TEST_P(FilterKernel, LetsEachRowPass) {
  for (const jail::Rule& rule : rules) {
    EXPECT_FALSE(is_trapped(role, call_of(rule))) << describe(role, rule);
  }
}

TEST_P(FilterKernel, TrapsWhatDiffersInOneArgument) {
  for (const jail::Rule& rule : rules) {
    for (const Call& call : calls_beside(rule, rules)) {
      EXPECT_TRUE(is_trapped(role, call)) << describe(role, rule);
    }
  }
}

volatile std::sig_atomic_t g_trapped = 0;

void count_trap(int) {
  g_trapped = g_trapped + 1;
}

/// Calls of the kernel's own uprobe trampolines, which it shows to no filter (since 6.13): from
/// anywhere else they end in SIGILL.
bool is_of_uprobes(int number) {
  constexpr int kUretprobe = 335;
  constexpr int kUprobe = 336;
  return number == kUretprobe || number == kUprobe;
}

// One child for all: what is trapped is not made, so it can go on.
TEST_P(FilterKernel, TrapsEveryCallThatIsInNoRow) {
  std::vector<Call> calls;
  for (int number = 0; number < jail::known_calls() + 64; ++number) {
    bool is_known = is_of_uprobes(number);
    for (const jail::Rule& rule : rules) is_known = is_known || rule.number == number;
    if (!is_known)
      calls.push_back({.number = number, .arguments = {~0UL, ~0UL, ~0UL, ~0UL, ~0UL, ~0UL}});
  }
  ASSERT_GT(calls.size(), 300u);
  const int status = status_of(role, &count_trap, [&calls] {
    for (const Call& call : calls) make(call);
    const bool all = static_cast<std::size_t>(g_trapped) == calls.size();
    ::syscall(SYS_exit_group, all ? kAsExpected : 0);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kAsExpected) << status;
}

TEST_P(FilterKernel, KillsAtX32) {
  const int status = status_of(role, &end_as_trapped, [] {
    make({.number = static_cast<int>(kX32) + SYS_exit_group, .arguments = {1}});
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
}

TEST_P(FilterKernel, KillsAtI386) {
  // 252 is exit_group there; the filter says no before anything looks at the number.
  const int status = status_of(role, &end_as_trapped, [] {
    asm volatile("int $0x80" : : "a"(252), "b"(1) : "memory");
  });
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) {
    GTEST_SKIP() << "the host's kernel has no 32-bit system calls";
  }
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
}

TEST_P(FilterKernel, KillsWhoeverBlocksTheTrap) {
  const pid_t child = ::fork();
  if (child == 0) {
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!jail::load_filter(jail::filter_for(role))) ::_exit(kNotLoaded);
    ::syscall(SYS_execve, nullptr, nullptr, nullptr);
    ::syscall(SYS_exit_group, 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
}

INSTANTIATE_TEST_SUITE_P(Roles, FilterKernel, testing::ValuesIn(kThreadRoles),
                         [](const auto& each) { return jail::role_name(each.param); });

}  // namespace
}  // namespace mote::test
