// SPDX-License-Identifier: Apache-2.0
// The guard of a group: it removes the group whatever ends the supervisor, and takes nothing of it
// along.
#include "jail/cgroup/guard.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "fake_cgroupfs.hpp"

namespace mote::jail {
namespace {

using test::FakeCgroupfs;

const CgroupLimits kLimits = {.memory = 64 * kMiB};

Result<GuardedCgroup> start(const FakeCgroupfs& tree) {
  const CgroupHierarchy hierarchy = tree.hierarchy({"memory"}, "");
  return GuardedCgroup::start(std::span(&hierarchy, 1), {.name = "vm"}, kLimits);
}

/// The guard that is a child of this process, or 0.
pid_t find_guard() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream stat(entry.path() / "stat");
    std::string pid;
    std::string comm;
    char state = 0;
    pid_t its_parent = 0;
    if (stat >> pid >> comm >> state >> its_parent && comm == "(mote-guard)" &&
        its_parent == ::getpid() && state != 'Z') {
      return static_cast<pid_t>(std::stol(pid));
    }
  }
  return 0;
}

std::multiset<std::string> open_files(pid_t pid) {
  std::multiset<std::string> files;
  for (const auto& fd :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    std::error_code gone;
    files.insert(std::filesystem::read_symlink(fd.path(), gone).string());
  }
  return files;
}

/// This process takes the place of init for the children of its children.
class OrphanedGuardTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0); }
  void TearDown() override { ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); }
  /// Until there is no child left.
  static void await_all() {
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }
};

TEST(GuardedCgroupTest, FromStartToFinish) {
  const FakeCgroupfs tree(true, {"memory.max"});
  auto group = start(tree);
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_EQ(tree.read("vm/memory.max"), "67108864");
  ASSERT_TRUE(group->add(::getpid() * 1000));
  EXPECT_EQ(tree.read("vm/cgroup.procs"), std::to_string(::getpid() * 1000));
  const auto finished = group->finish();
  EXPECT_TRUE(finished) << finished.error().message();
  EXPECT_FALSE(tree.exists("vm"));
  EXPECT_EQ(find_guard(), 0);
}

TEST(GuardedCgroupTest, WhatTheGuardCannotMakeIsTheErrorOfItsStart) {
  const FakeCgroupfs tree(true, {"memory.high"});
  const auto group = start(tree);
  ASSERT_FALSE(group);
  EXPECT_EQ(group.error().message(), "cannot set '" + tree.path("vm/memory.max") +
                                         "' to '67108864': No such file or directory (ENOENT)");
  EXPECT_FALSE(tree.exists("vm"));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "the guard is still there, or a zombie";
}

TEST(GuardedCgroupTest, TheGuardHasNothingOfTheSupervisors) {
  const FakeCgroupfs tree(true, {"memory.max"});
  auto group = start(tree);
  ASSERT_TRUE(group) << group.error().message();
  const pid_t guard = find_guard();
  ASSERT_NE(guard, 0);
  // The connection; the tree's root, as the parent of the group. It may be about to close others.
  std::multiset<std::string> open = open_files(guard);
  for (int i = 0; i < 1000 && open.size() > 2; ++i) {
    ::usleep(1000);
    open = open_files(guard);
  }
  EXPECT_EQ(open.size(), 2U);
  EXPECT_EQ(open.count(tree.root()), 1U);
  EXPECT_EQ(::getsid(guard), guard);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP}) {
    ::kill(guard, number);
  }
  ::usleep(20'000);
  EXPECT_EQ(find_guard(), guard);
  EXPECT_TRUE(group->finish());
  EXPECT_FALSE(tree.exists("vm"));
}

TEST_F(OrphanedGuardTest, ItsGroupGoesWhenTheSupervisorIsKilled) {
  const FakeCgroupfs tree(true, {"memory.max"});
  for (int turn = 0; turn < 20; ++turn) {
    const pid_t supervisor = ::fork();
    if (supervisor == 0) {
      const auto group = start(tree);
      for (;;) ::pause();
    }
    ::usleep(static_cast<useconds_t>(turn) * 300);  // at any moment of the start
    ::kill(supervisor, SIGKILL);
    await_all();
    EXPECT_FALSE(tree.exists("vm")) << turn;
  }
}

TEST_F(OrphanedGuardTest, ProcessesOfTheGroupEndWithTheSupervisor) {
  const FakeCgroupfs tree(true, {"memory.max"});
  int started[2];
  ASSERT_EQ(::pipe(started), 0);
  const pid_t supervisor = ::fork();
  if (supervisor == 0) {
    auto group = start(tree);
    const pid_t vm = ::fork();
    if (vm == 0) {
      group->forget();
      for (;;) ::pause();
    }
    if (!group->add(vm) || ::write(started[1], &vm, sizeof(vm)) != sizeof(vm)) ::_exit(1);
    for (;;) ::pause();
  }
  pid_t vm = 0;
  ASSERT_EQ(::read(started[0], &vm, sizeof(vm)), static_cast<ssize_t>(sizeof(vm)));
  ::kill(supervisor, SIGKILL);
  await_all();
  EXPECT_NE(::kill(vm, 0), 0);
  EXPECT_FALSE(tree.exists("vm"));
  ::close(started[0]);
  ::close(started[1]);
}

TEST(GuardedCgroupTest, AConnectionThatSomebodyElseHoldsDoesNotKeepTheGuard) {
  const FakeCgroupfs tree(true, {"memory.max"});
  auto group = start(tree);
  ASSERT_TRUE(group) << group.error().message();
  const UniqueFd copy(::dup(group->connection()));
  EXPECT_TRUE(group->finish());
  EXPECT_FALSE(tree.exists("vm"));
}

TEST(GuardedCgroupTest, AGuardThatWasKilledIsAnError) {
  const FakeCgroupfs tree(true, {"memory.max"});
  auto group = start(tree);
  ASSERT_TRUE(group) << group.error().message();
  ::kill(find_guard(), SIGKILL);
  const auto finished = group->finish();
  ASSERT_FALSE(finished);
  EXPECT_TRUE(finished.error().message().starts_with("cannot remove the control group 'vm'"));
}

}  // namespace
}  // namespace mote::jail
