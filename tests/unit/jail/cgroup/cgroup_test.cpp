// SPDX-License-Identifier: Apache-2.0
// Groups made, filled and removed: in a folder that behaves like a tree, and in the host's.
#include "jail/cgroup/cgroup.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>

#include "fake_cgroupfs.hpp"
#include "jail/cgroup/guard.hpp"

namespace mote::jail {
namespace {

using test::FakeCgroupfs;

const CgroupLimits kLimits = {.cpu_milli = 500, .memory = 64 * kMiB};
const std::vector<std::string> kUnifiedFiles = {"cpu.max", "memory.max"};
const std::vector<std::string> kControllers = {"cpu", "memory"};
constexpr u32 kPatienceMs = 50;

Result<Cgroup> create(const CgroupHierarchy& hierarchy, const CgroupPlace& place) {
  return Cgroup::create(std::span(&hierarchy, 1), place, kLimits, {});
}

TEST(CgroupTest, UnifiedGroupHasItsLimitsAndControllersOnTheWay) {
  const FakeCgroupfs tree(true, kUnifiedFiles);
  tree.make_group("box");
  tree.make_group("box/inner");
  const auto group = create(tree.hierarchy(kControllers, "/box/inner"), {.name = "vm"});
  ASSERT_TRUE(group) << group.error().message();
  for (const char* above : {"", "box/", "box/inner/"}) {
    EXPECT_EQ(tree.read(std::string(above) + "cgroup.subtree_control"), "+cpu +memory") << above;
  }
  EXPECT_EQ(tree.read("box/inner/vm/cpu.max"), "50000 100000");
  EXPECT_EQ(tree.read("box/inner/vm/memory.max"), "67108864");
  EXPECT_EQ(tree.read("box/inner/vm/cgroup.procs"), "");
  EXPECT_TRUE(group->remove(kPatienceMs));
  EXPECT_FALSE(tree.exists("box/inner/vm"));
  EXPECT_TRUE(group->remove(kPatienceMs)) << "a group that is gone is no failure";
}

TEST(CgroupTest, WhatIsEnabledAlreadyIsNotWritten) {
  const FakeCgroupfs tree(true, kUnifiedFiles);
  tree.write("cgroup.subtree_control", "cpu io memory\n");
  const auto group = create(tree.hierarchy(kControllers, ""), {.name = "vm"});
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_EQ(tree.read("cgroup.subtree_control"), "cpu io memory\n");
}

TEST(CgroupTest, TheParentCanBeNamed) {
  const FakeCgroupfs tree(true, kUnifiedFiles);
  tree.make_group("machines");
  tree.make_group("own");
  tree.write("own/cgroup.procs", "1\n");  // so nothing can be made there
  const auto group =
      create(tree.hierarchy(kControllers, "/own"), {.parent = "/machines", .name = "vm"});
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_TRUE(tree.exists("machines/vm/memory.max"));

  const auto lost = create(tree.hierarchy(kControllers, ""), {.parent = "/lost", .name = "vm"});
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().message(), "cannot open the control group '" + tree.path("lost") +
                                        "': No such file or directory (ENOENT)");
}

TEST(CgroupTest, AGroupWithProcessesIsPassedOver) {
  const FakeCgroupfs tree(true, kUnifiedFiles);
  tree.make_group("user");
  tree.make_group("user/session");
  tree.write("user/session/cgroup.procs", "1\n");
  const auto group = create(tree.hierarchy(kControllers, "/user/session"), {.name = "vm"});
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_TRUE(tree.exists("user/vm/memory.max"));
  EXPECT_EQ(tree.read("user/session/cgroup.subtree_control"), "");
}

TEST(CgroupTest, ANamedParentWithProcessesIsAnErrorThatSaysWhatToDo) {
  const FakeCgroupfs tree(true, kUnifiedFiles);
  tree.make_group("user");
  tree.write("user/cgroup.procs", "1\n");
  const auto group = create(tree.hierarchy(kControllers, ""), {.parent = "/user", .name = "vm"});
  ASSERT_FALSE(group);
  EXPECT_EQ(group.error().message(),
            "cannot make a control group below '" + tree.path("user") +
                "', which has processes of its own: Device or resource busy (EBUSY) -- start the "
                "VM in a group of its own: systemd-run --scope -p Delegate=yes COMMAND (--user for "
                "an ordinary user), or name a parent");
}

TEST(CgroupTest, ATreePerController) {
  const FakeCgroupfs tree(false, {"cpu.cfs_quota_us", "cpu.cfs_period_us"});
  const auto cpu = tree.hierarchy({"cpu", "cpuacct"}, "");
  auto group = Cgroup::create(std::span(&cpu, 1), {.name = "vm"}, {.cpu_milli = 2000}, {});
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_EQ(tree.read("vm/cpu.cfs_quota_us"), "200000");
  EXPECT_EQ(tree.read("vm/cpu.cfs_period_us"), "100000");
}

TEST(CgroupTest, WhatFailsLeavesNothingBehind) {
  const FakeCgroupfs tree(true, {"cpu.max"});  // and no memory.max
  const auto group = create(tree.hierarchy(kControllers, ""), {.name = "vm"});
  ASSERT_FALSE(group);
  EXPECT_EQ(group.error().message(), "cannot set '" + tree.path("vm/memory.max") +
                                         "' to '67108864': No such file or directory (ENOENT)");
  EXPECT_FALSE(tree.exists("vm"));
}

TEST(CgroupTest, AControllerThatIsNowhere) {
  const FakeCgroupfs tree(true, kUnifiedFiles);
  const auto group = create(tree.hierarchy({"cpu"}, ""), {.name = "vm"});
  ASSERT_FALSE(group);
  EXPECT_TRUE(group.error().message().starts_with("cannot limit 'memory': no mounted tree"));
  EXPECT_FALSE(tree.exists("vm"));

  const auto none = Cgroup::create({}, {.name = "vm"}, kLimits, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message(),
            "cannot limit 'cpu': no control groups are mounted -- mount -t cgroup2 none "
            "/sys/fs/cgroup");
}

TEST(CgroupTest, WhatACrashLeftIsReplacedAndWhatIsInUseIsNot) {
  const FakeCgroupfs tree(true, kUnifiedFiles);
  tree.make_group("vm");
  tree.write("vm/memory.max", "1");
  ASSERT_TRUE(create(tree.hierarchy(kControllers, ""), {.name = "vm"}));
  EXPECT_EQ(tree.read("vm/memory.max"), "67108864");

  tree.write("vm/cgroup.procs", std::to_string(::getpid()) + "\n");
  const auto group = create(tree.hierarchy(kControllers, ""), {.name = "vm"});
  ASSERT_FALSE(group);
  EXPECT_EQ(group.error().message(), "cannot make the control group '" + tree.path("vm") +
                                         "': File exists (EEXIST) -- processes are in it: choose "
                                         "another name");
  EXPECT_TRUE(tree.exists("vm"));
}

TEST(CgroupTest, ProcessesAreEndedBeforeTheGroupIsRemoved) {
  const FakeCgroupfs tree(true, kUnifiedFiles);
  const auto group = create(tree.hierarchy(kControllers, ""), {.name = "vm"});
  ASSERT_TRUE(group);
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  tree.write("vm/cgroup.procs", std::to_string(child) + "\n");
  const auto removed = group->remove(5000);
  EXPECT_TRUE(removed);
  EXPECT_FALSE(tree.exists("vm"));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(CgroupTest, RemovalDoesNotWaitForEver) {
  const FakeCgroupfs tree(true, {"cpu.max", "memory.max", "cgroup.kill"});
  const auto group = create(tree.hierarchy(kControllers, ""), {.name = "vm"});
  ASSERT_TRUE(group);
  tree.write("vm/cgroup.procs", std::to_string(::getpid()) + "\n");
  const auto removed = group->remove(kPatienceMs);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().errno_value(), EBUSY);
  EXPECT_EQ(tree.read("vm/cgroup.kill"), "1") << "the kernel was asked to end all of it";
}

TEST(CgroupTest, OneWriteMovesAProcess) {
  const FakeCgroupfs tree(true, kUnifiedFiles);
  const auto group = create(tree.hierarchy(kControllers, ""), {.name = "vm"});
  ASSERT_TRUE(group);
  const auto entries = group->open_entries();
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 1U);
  ASSERT_TRUE(add_process(entries->front(), 4711));
  EXPECT_EQ(tree.read("vm/cgroup.procs"), "4711");
}

/// The host's own trees, where this process may use them.
TEST(CgroupHostTest, LimitsHoldAndTheGroupGoes) {
  const auto hierarchies = find_cgroup_hierarchies();
  ASSERT_TRUE(hierarchies) << hierarchies.error().message();
  if (::geteuid() != 0) GTEST_SKIP() << "the host's control groups take root";
  const CgroupPlace place{.name = "mote-unit-test-" + std::to_string(::getpid())};
  const auto group = Cgroup::create(*hierarchies, place, {.cpu_milli = 500, .pids = 1}, {});
  if (!group) GTEST_SKIP() << group.error().message();
  const auto entries = group->open_entries();
  ASSERT_TRUE(entries) << entries.error().message();

  const pid_t child = ::fork();
  if (child == 0) {
    for (const UniqueFd& entry : *entries) {
      if (!add_process(entry, 0)) ::_exit(1);
    }
    if (::fork() >= 0) ::_exit(2);  // one process is all that there may be
    ::_exit(errno == EAGAIN ? 0 : 3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);

  const auto removed = group->remove(5000);
  EXPECT_TRUE(removed);
  for (const CgroupHierarchy& hierarchy : *hierarchies) {
    EXPECT_NE(::access((hierarchy.mount + hierarchy.own + "/" + place.name).c_str(), F_OK), 0);
  }
}

TEST(CgroupHostTest, NothingIsLeftOfKilledStarts) {
  const auto hierarchies = find_cgroup_hierarchies();
  ASSERT_TRUE(hierarchies) << hierarchies.error().message();
  if (::geteuid() != 0) GTEST_SKIP() << "the host's control groups take root";
  const CgroupPlace place{.name = "mote-unit-test-" + std::to_string(::getpid())};
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  for (int turn = 0; turn < 50; ++turn) {
    const pid_t supervisor = ::fork();
    if (supervisor == 0) {
      auto group = GuardedCgroup::start(*hierarchies, place, {.cpu_milli = 500, .pids = 20});
      if (group && ::fork() == 0) static_cast<void>(group->join());
      for (;;) ::pause();
    }
    ::usleep(static_cast<useconds_t>(turn * 97 % 50) * 60);  // at any moment of the start
    ::kill(supervisor, SIGKILL);
    // A child that had not joined yet is nobody's but ours.
    ::usleep(1000);
    const std::string children = "/proc/self/task/" + std::to_string(::getpid()) + "/children";
    std::ifstream list(children);
    for (pid_t child = 0; list >> child;) {
      std::string name;
      std::ifstream("/proc/" + std::to_string(child) + "/comm") >> name;
      if (name != "mote-guard") ::kill(child, SIGKILL);
    }
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    for (const CgroupHierarchy& hierarchy : *hierarchies) {
      ASSERT_NE(::access((hierarchy.mount + hierarchy.own + "/" + place.name).c_str(), F_OK), 0)
          << turn;
    }
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

/// A group of the test's own in a tree of v2 that has controllers, with a process in it.
class CgroupUnifiedHostTest : public testing::Test {
 protected:
  static constexpr const char* kOwn = "mote-unit-test";

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "the host's control groups take root";
    const auto trees = find_cgroup_hierarchies();
    ASSERT_TRUE(trees) << trees.error().message();
    for (const CgroupHierarchy& tree : *trees) {
      if (tree.unified && tree.has("pids")) root_ = tree.mount;
    }
    if (root_.empty()) GTEST_SKIP() << "this host has no tree of v2 with controllers";
    const auto top = CgroupDirectory::open(root_);
    ASSERT_TRUE(top && top->make_child(kOwn));
  }
  void TearDown() override {
    if (root_.empty()) return;
    const auto top = CgroupDirectory::open(root_);
    ASSERT_TRUE(top && top->remove_child(kOwn, 5000));
  }

  static std::string own_group() {
    const auto trees = find_cgroup_hierarchies();
    for (const CgroupHierarchy& tree : *trees) {
      if (tree.unified) return tree.own;
    }
    return "none";
  }
  /// Runs `body` in a process in the group, which is to return 0.
  void in_group(auto body) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto top = CgroupDirectory::open(root_);
      const auto entry = top->child(kOwn)->open_processes();
      ::_exit(entry && add_process(*entry, 0) ? body() : 100);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "step " << WEXITSTATUS(status);
  }

  std::string root_;
};

TEST_F(CgroupUnifiedHostTest, AStartThatIsAloneInItsGroupMakesRoom) {
  in_group([] {
    auto group = GuardedCgroup::start(*find_cgroup_hierarchies(), {.name = "vm"}, {.pids = 20});
    if (!group) {
      std::fprintf(stderr, "%s\n", group.error().message().c_str());
      return 1;
    }
    if (own_group() != "/mote-unit-test/vm-supervisor") return 2;
    const pid_t vm = ::fork();
    if (vm == 0) {
      const bool joined = group->join().has_value();
      ::_exit(joined && own_group() == "/mote-unit-test/vm" ? 0 : 1);
    }
    int status = 0;
    ::waitpid(vm, &status, 0);
    if (status != 0) return 3;
    if (!group->finish()) return 4;
    return own_group() == "/mote-unit-test" ? 0 : 5;
  });
}

TEST_F(CgroupUnifiedHostTest, AStartThatIsNotAloneGoesAbove) {
  in_group([this] {
    const pid_t other = ::fork();
    if (other == 0) {
      for (;;) ::pause();
    }
    auto group = GuardedCgroup::start(*find_cgroup_hierarchies(), {.name = "vm"}, {.pids = 20});
    ::kill(other, SIGKILL);
    ::waitpid(other, nullptr, 0);
    if (!group) return 1;
    if (own_group() != "/mote-unit-test") return 2;
    if (::access((root_ + "/vm/pids.max").c_str(), F_OK) != 0) return 3;
    if (!group->finish()) return 4;
    return ::access((root_ + "/vm").c_str(), F_OK) != 0 ? 0 : 5;
  });
}

TEST_F(CgroupUnifiedHostTest, NothingIsLeftOfAKilledStart) {
  in_group([this] {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const pid_t supervisor = ::fork();
    if (supervisor == 0) {
      auto group = GuardedCgroup::start(*find_cgroup_hierarchies(), {.parent = "/", .name = "vm"},
                                        {.memory = 64 * kMiB, .pids = 20});
      if (!group || !group->join()) ::_exit(1);
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ::waitpid(supervisor, &status, 0);
    if (!WIFSIGNALED(status)) return 1;
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    return ::access((root_ + "/vm").c_str(), F_OK) != 0 ? 0 : 2;
  });
}

}  // namespace
}  // namespace mote::jail
