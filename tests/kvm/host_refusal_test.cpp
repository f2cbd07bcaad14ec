// SPDX-License-Identifier: Apache-2.0
// A host that forbids a part of the sandbox: the start ends with an error, never with a weaker VM.
#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "tests/kvm/run_mote.hpp"
#include "tests/kvm/small_world.hpp"

namespace mote::test {
namespace {

constexpr int kEnough = 100;

/// Starts the guest and returns what was said; `status` is how it ended.
std::string run_mote(Who who, int& status) {
  int output[2];
  if (::pipe(output) != 0) return "no pipe";
  const pid_t mote = ::fork();
  if (mote == 0) {
    ::dup2(output[1], STDOUT_FILENO);
    ::dup2(output[1], STDERR_FILENO);
    ::close(output[0]);
    ::close(output[1]);
    if (who == Who::kOrdinaryUser &&
        (::setgroups(0, nullptr) != 0 ||
         ::setresgid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) != 0 ||
         ::setresuid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) != 0)) {
      ::_exit(126);
    }
    ::execl("mote", "mote", "run", "--kernel", "hello.elf", nullptr);
    ::_exit(127);
  }
  ::close(output[1]);
  std::string text;
  for (char byte = 0; ::read(output[0], &byte, 1) == 1;) text += byte;
  ::close(output[0]);
  ::waitpid(mote, &status, 0);
  return text;
}

/// Runs once with every kind of namespace forbidden, one after the other. What went wrong.
std::string forbid_each(Who who) {
  for (const char* kind : kNamespaceKinds) {
    const bool is_needed = who == Who::kOrdinaryUser || std::string(kind) != "user";
    if (!limit_namespaces(kEnough) || !limit_namespaces(kind, 0)) return "cannot be limited";
    int status = 0;
    const std::string said = run_mote(who, status);
    const std::string what = std::string(kind) + ": status " + std::to_string(status) + ": " + said;
    if (!is_needed) {
      if (status != 0) return what;
      continue;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1) return what;
    if (said.find("Hello") != std::string::npos) return "the guest ran without " + what;
    if (said.rfind("mote: cannot make ", 0) != 0) return what;
    if (said.find("namespace") == std::string::npos || said.find("ENOSPC") == std::string::npos ||
        said.find(" -- ") == std::string::npos) {
      return what;
    }
  }
  return {};
}

class HostRefusal : public KvmTest {
 protected:
  void SetUp() override {
    KvmTest::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "makes a world of its own: needs root";
  }
  static std::string live(std::string (*body)()) {
    const std::string kernel = guest("hello");
    return in_small_world({MOTE_BINARY, kernel.c_str()}, body);
  }
};

TEST_F(HostRefusal, OfANamespaceEndsTheStart) {
  EXPECT_EQ(live([] { return forbid_each(Who::kRoot); }), "");
}

TEST_F(HostRefusal, OfANamespaceEndsAnOrdinaryUsersStart) {
  EXPECT_EQ(live([] { return forbid_each(Who::kOrdinaryUser); }), "");
}

}  // namespace
}  // namespace mote::test
