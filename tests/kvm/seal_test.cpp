// SPDX-License-Identifier: Apache-2.0
// Sealed threads of a running VM: that they are, and what becomes of one that does what it may not.
#include <dirent.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "tests/kvm/run_mote.hpp"

namespace mote::test {
namespace {

/// The line of /proc/PID/task/TID/status that begins with `key`, by the name of the thread.
std::map<std::string, std::string> of_threads(pid_t process, const std::string& key) {
  std::map<std::string, std::string> values;
  const std::string folder = "/proc/" + std::to_string(process) + "/task";
  DIR* const threads = ::opendir(folder.c_str());
  if (threads == nullptr) return values;
  while (const dirent* entry = ::readdir(threads)) {
    if (entry->d_name[0] == '.') continue;
    std::ifstream file(folder + "/" + entry->d_name + "/status");
    std::string name;
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("Name:\t")) name = line.substr(6);
      if (line.starts_with(key + ":\t")) values[name] = line.substr(key.size() + 2);
    }
  }
  ::closedir(threads);
  return values;
}

class Seal : public KvmTest {
 protected:
  /// What the supervisor and the threads of a VM with two vCPUs say of `key` while its guest idles.
  /// Left out is a worker that KVM may have put into the process, which runs no program.
  static std::map<std::string, std::string> of_vm(const std::string& key) {
    Process process({"run", "--kernel", guest("halt_forever"), "--vcpus", "2"});
    EXPECT_TRUE(process.wait_for_output("idle")) << process.errors();
    auto values = of_threads(process.vm_pid(), key);
    values["supervisor"] = of_threads(process.pid(), key)["mote"];
    process.signal(SIGTERM);
    EXPECT_EQ(process.finish().exit_code, 143);
    std::erase_if(values, [](const auto& value) {
      return value.first.starts_with("kvm-") || value.first.starts_with("iou-");
    });
    return values;
  }
  static std::map<std::string, std::string> everybody(const std::string& value) {
    return {{"supervisor", value}, {"mote", value}, {"vcpu1", value}, {"io", value}};
  }
};

TEST_F(Seal, EveryThreadIsFiltered) {
  constexpr const char* kFiltered = "2";  // by programs, as /proc says it
  EXPECT_EQ(of_vm("Seccomp"), everybody(kFiltered));
}

TEST_F(Seal, TheThreadsOfTheStartKeepItsFilterBesideTheirOwn) {
  auto expected = everybody("1");
  expected["mote"] = expected["vcpu1"] = "2";
  EXPECT_EQ(of_vm("Seccomp_filters"), expected);
}

TEST_F(Seal, NoThreadCanGainPrivileges) {
  EXPECT_EQ(of_vm("NoNewPrivs"), everybody("1"));
}

TEST_F(Seal, WithoutSandboxNoThreadIsFilteredAndThatIsSaid) {
  Process process({"run", "--kernel", guest("halt_forever"), "--no-sandbox"});
  EXPECT_TRUE(process.wait_for_output("idle")) << process.errors();
  for (const auto& [name, found] : of_threads(process.pid(), "Seccomp"))
    EXPECT_EQ(found, "0") << name;
  process.signal(SIGTERM);
  const Outcome outcome = process.finish();
  EXPECT_NE(outcome.err.find("warning: [mote] no sandbox"), std::string::npos) << outcome.err;
}

struct Attempt {
  const char* role;
  const char* act;
  const char* line;  // what is said of it
};

void PrintTo(const Attempt& attempt, std::ostream* out) {
  *out << attempt.role << ":" << attempt.act;
}

class ForbiddenAct : public KvmTest, public ::testing::WithParamInterface<Attempt> {
 protected:
  /// `mote-acts` on a guest, told to make the attempt.
  static Outcome attempt(const Attempt& attempt, const std::vector<std::string>& more = {}) {
    ::setenv("MOTE_ACT", (std::string(attempt.role) + ":" + attempt.act).c_str(), 1);
    std::vector<std::string> words = {"run", "--kernel", guest("hello")};
    words.insert(words.end(), more.begin(), more.end());
    Process process(words, Process::Streams::kPipes, MOTE_ACTS_BINARY);
    ::unsetenv("MOTE_ACT");
    process.close_input();
    return process.finish();
  }
};

TEST_P(ForbiddenAct, EndsTheVmBeforeTheGuestSpeaks) {
  const Outcome outcome = attempt(GetParam());
  EXPECT_EQ(outcome.exit_code, 32);
  EXPECT_EQ(outcome.err, std::string("mote: ") + GetParam().line +
                             ": the VM is ended -- a guest may have broken out, or this is a bug "
                             "of Mote's\n");
  EXPECT_EQ(outcome.out, "");
}

// The acts are real ones: without a filter, nothing is forbidden.
TEST_P(ForbiddenAct, IsNoneWithoutSandbox) {
  const Outcome outcome = attempt(GetParam(), {"--no-sandbox"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(
    Acts, ForbiddenAct,
    ::testing::Values(
        Attempt{"start", "openat", "thread 'mote': forbidden system call 257 (openat)"},
        Attempt{"start", "io_uring_setup",
                "thread 'mote': forbidden system call 425 (io_uring_setup)"},
        Attempt{"start", "execve", "thread 'mote': forbidden system call 59 (execve)"},
        Attempt{"start", "mprotect_exec", "thread 'mote': forbidden system call 10 (mprotect)"},
        Attempt{"start", "socket", "thread 'mote': forbidden system call 41 (socket)"},
        Attempt{"vcpu", "socket", "thread 'vcpu0': forbidden system call 41 (socket)"},
        Attempt{"vcpu", "execve", "thread 'vcpu0': forbidden system call 59 (execve)"},
        Attempt{"vcpu", "openat", "thread 'vcpu0': forbidden system call 257 (openat)"},
        Attempt{"vcpu", "mprotect_exec", "thread 'vcpu0': forbidden system call 10 (mprotect)"},
        Attempt{"vcpu", "mmap_exec", "thread 'vcpu0': forbidden system call 9 (mmap)"},
        Attempt{"vcpu", "io_uring_setup",
                "thread 'vcpu0': forbidden system call 425 (io_uring_setup)"},
        Attempt{"loop", "socket", "thread 'io': forbidden system call 41 (socket)"},
        Attempt{"loop", "execve", "thread 'io': forbidden system call 59 (execve)"},
        Attempt{"loop", "openat", "thread 'io': forbidden system call 257 (openat)"},
        Attempt{"loop", "mprotect_exec", "thread 'io': forbidden system call 10 (mprotect)"},
        Attempt{"loop", "mmap_exec", "thread 'io': forbidden system call 9 (mmap)"},
        Attempt{"loop", "io_uring_setup",
                "thread 'io': forbidden system call 425 (io_uring_setup)"}),
    [](const auto& each) { return std::string(each.param.role) + "_" + each.param.act; });

}  // namespace
}  // namespace mote::test
