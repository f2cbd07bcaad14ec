// SPDX-License-Identifier: Apache-2.0
// The compiled filters against the table, read by an interpreter: each row, and each call that is
// in none, without making a call.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

#include <cerrno>
#include <cstring>

#include "jail/seccomp/filter.hpp"
#include "tests/unit/jail/filter_call.hpp"

namespace mote::test {
namespace {

constexpr u32 kNoSuchCall = SECCOMP_RET_ERRNO | ENOSYS;
constexpr u32 kX32 = 0x40000000;
/// Above every call there is.
constexpr int kNumbers = 2048;

/// What the kernel would make of `call`: the program's answer.
u32 judge(std::span<const sock_filter> program, const Call& call, u32 arch = AUDIT_ARCH_X86_64) {
  seccomp_data data{.nr = call.number, .arch = arch, .instruction_pointer = 0, .args = {}};
  std::copy(call.arguments.begin(), call.arguments.end(), data.args);
  u32 value = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    const auto jump = [&](bool taken) { at += taken ? step.jt : step.jf; };
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (step.k + sizeof(value) > sizeof(data)) return 0;
        std::memcpy(&value, reinterpret_cast<const char*>(&data) + step.k, sizeof(value));
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        value &= step.k;
        break;
      case BPF_JMP | BPF_JA:
        at += step.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        jump(value == step.k);
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        jump(value > step.k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        jump(value >= step.k);
        break;
      case BPF_RET | BPF_K:
        return step.k;
      default:
        ADD_FAILURE() << "instruction " << step.code << " is new here";
        return 0;
    }
  }
  ADD_FAILURE() << "the program has no end";
  return 0;
}

u32 verdict(const jail::Rule& rule) {
  return rule.verdict == jail::Verdict::kAllow ? u32{SECCOMP_RET_ALLOW} : kNoSuchCall;
}

class FilterProgram : public testing::TestWithParam<ThreadRole> {
 protected:
  const ThreadRole role = GetParam();
  const std::span<const sock_filter> program = jail::filter_for(role);
  const std::vector<jail::Rule> rules = rules_of(role);
};

TEST_P(FilterProgram, DoesWhatEachRowSays) {
  for (const jail::Rule& rule : rules) {
    EXPECT_EQ(judge(program, call_of(rule)), verdict(rule)) << describe(role, rule);
  }
}

TEST_P(FilterProgram, TrapsWhatDiffersInOneArgument) {
  u32 tried = 0;
  for (const jail::Rule& rule : rules) {
    const auto calls = calls_beside(rule, rules);
    for (const Call& call : calls) {
      EXPECT_EQ(judge(program, call), u32{SECCOMP_RET_TRAP}) << describe(role, rule);
      ++tried;
    }
    // Where no condition could be broken, a wider row of another role's stands in the start.
    if (role != ThreadRole::kStart) {
      EXPECT_EQ(calls.size(), rule.condition_count) << rule.name;
    }
  }
  EXPECT_GT(tried, 0u);
}

TEST_P(FilterProgram, LooksAtNoUpperHalf) {
  for (const jail::Rule& rule : rules) {
    Call call = call_of(rule);
    for (u64& argument : call.arguments) argument ^= 0xdeadbeef'00000000;
    EXPECT_EQ(judge(program, call), verdict(rule)) << describe(role, rule);
  }
}

TEST_P(FilterProgram, TrapsEveryCallThatIsInNoRow) {
  int trapped = 0;
  for (int number = 0; number < kNumbers; ++number) {
    bool is_known = false;
    for (const jail::Rule& rule : rules) is_known = is_known || rule.number == number;
    if (is_known) continue;
    EXPECT_EQ(judge(program, {.number = number}), u32{SECCOMP_RET_TRAP}) << number;
    ++trapped;
  }
  EXPECT_GT(trapped, kNumbers - 200);
  EXPECT_EQ(judge(program, {.number = -1}), u32{SECCOMP_RET_TRAP});
}

TEST_P(FilterProgram, KillsOtherArchitectures) {
  for (int number = 0; number < kNumbers; ++number) {
    const Call x32{.number = static_cast<int>(kX32) + number};
    EXPECT_EQ(judge(program, x32), u32{SECCOMP_RET_KILL_PROCESS}) << "x32 " << number;
    EXPECT_EQ(judge(program, {.number = number}, AUDIT_ARCH_I386), u32{SECCOMP_RET_KILL_PROCESS});
    EXPECT_EQ(judge(program, {.number = number}, AUDIT_ARCH_AARCH64),
              u32{SECCOMP_RET_KILL_PROCESS});
  }
}

// Loading costs time in proportion to it, on the way to the guest's first instruction.
TEST_P(FilterProgram, IsShort) {
  EXPECT_LE(program.size(), role == ThreadRole::kStart ? 200u : 80u);
}

INSTANTIATE_TEST_SUITE_P(Roles, FilterProgram, testing::ValuesIn(kThreadRoles),
                         [](const auto& each) { return jail::role_name(each.param); });

}  // namespace
}  // namespace mote::test
