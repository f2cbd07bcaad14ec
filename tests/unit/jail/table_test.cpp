// SPDX-License-Identifier: Apache-2.0
// The table against what it was copied from, and against itself.
#include "jail/seccomp/table.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "devices/vfio/iommufd_abi.hpp"
#include "jail/seccomp/filter.hpp"
#include "tests/unit/jail/filter_call.hpp"
#include "vmm/kvm/table.hpp"

namespace mote::test {
namespace {

using jail::kSeccompTable;
using jail::Rule;

TEST(SeccompTable, NamesBelongToNumbers) {
  for (const Rule& rule : kSeccompTable) {
    const char* const name = jail::call_name(rule.number);
    ASSERT_NE(name, nullptr) << rule.name;
    EXPECT_STREQ(rule.name, name);
  }
}

// The room of the jail does not know that of the devices.
static_assert(IOMMU_IOAS_UNMAP == vfio::abi::kIoasUnmap);

TEST(SeccompTable, EveryRowHasAReasonAndARole) {
  for (const Rule& rule : kSeccompTable) {
    EXPECT_STRNE(rule.reason, "") << rule.name;
    EXPECT_NE(rule.roles, 0u) << rule.name;
  }
}

TEST(SeccompTable, ConditionsCanHold) {
  for (const Rule& rule : kSeccompTable) {
    for (const jail::Condition& condition : rule.when()) {
      EXPECT_LT(condition.argument, 6) << rule.name;
      EXPECT_EQ(condition.value & ~condition.mask, 0u) << rule.name << ": " << condition.text;
      EXPECT_STRNE(condition.text, "") << rule.name;
    }
  }
}

// A row that another one covers says something that is not true of the filter.
TEST(SeccompTable, NoRowIsCoveredByAnother) {
  for (const ThreadRole role : kThreadRoles) {
    const auto rules = rules_of(role);
    for (std::size_t i = 0; i < rules.size(); ++i) {
      auto others = rules;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
      // What only the union of roles in the start makes needless is needed in its own role.
      const bool is_starts = role == ThreadRole::kStart;
      const Rule* cover = find_rule(others, call_of(rules[i]));
      if (is_starts && (rules[i].roles & jail::roles(role)) == 0) continue;
      EXPECT_EQ(cover, nullptr) << describe(role, rules[i]);
    }
  }
}

TEST(SeccompTable, StartMayDoWhatItsThreadsMay) {
  const auto start = rules_of(ThreadRole::kStart);
  for (const ThreadRole role :
       {ThreadRole::kVcpu, ThreadRole::kVcpuVfio, ThreadRole::kUnplug, ThreadRole::kLoop}) {
    for (const Rule& rule : rules_of(role)) {
      EXPECT_NE(find_rule(start, call_of(rule)), nullptr) << describe(role, rule);
    }
  }
}

TEST(SeccompTable, SealedThreadsHaveNoWayOut) {
  const std::set<std::string> none = {"open",   "openat",         "openat2",
                                      "socket", "connect",        "bind",
                                      "execve", "execveat",       "fork",
                                      "vfork",  "clone",          "clone3",
                                      "ptrace", "mount",          "unshare",
                                      "setns",  "io_uring_setup", "io_uring_register",
                                      "bpf",    "userfaultfd",    "seccomp",
                                      "prctl",  "rt_sigaction",   "mprotect",
                                      "kill",   "tkill",          "process_vm_readv"};
  for (const ThreadRole role : {ThreadRole::kVcpu, ThreadRole::kVcpuVfio, ThreadRole::kUnplug,
                                ThreadRole::kLoop, ThreadRole::kApi}) {
    for (const Rule& rule : rules_of(role)) {
      // The API's thread opens images: in the sandbox, below the folders that it was given.
      const bool opens_images = role == ThreadRole::kApi && rule.number == SYS_openat;
      EXPECT_TRUE(!none.contains(rule.name) || opens_images) << describe(role, rule);
      if (rule.number == SYS_ioctl || rule.number == SYS_tgkill || rule.number == SYS_mmap) {
        EXPECT_GT(rule.condition_count, 0) << describe(role, rule);
      }
    }
  }
}

TEST(SeccompTable, TheKicksSignalIsTheLibrarys) {
  EXPECT_EQ(kVcpuKickSignal, SIGRTMIN);
}

TEST(SeccompTable, RequestsOfTablesAreThoseThatTheVmMakes) {
  using jail::table::table_request;
  EXPECT_EQ(table_request(KVM_SET_GSI_ROUTING), KVM_TABLE_REQUEST(KVM_SET_GSI_ROUTING).number);
  EXPECT_EQ(table_request(KVM_GET_SUPPORTED_CPUID),
            KVM_TABLE_REQUEST(KVM_GET_SUPPORTED_CPUID).number);
  EXPECT_EQ(table_request(KVM_SET_CPUID2), KVM_TABLE_REQUEST(KVM_SET_CPUID2).number);
  EXPECT_EQ(table_request(KVM_SET_MSRS), KVM_TABLE_REQUEST(KVM_SET_MSRS).number);
}

}  // namespace
}  // namespace mote::test
