// SPDX-License-Identifier: Apache-2.0
// The jailer's flags: what they mean, and the words for what is refused.
#include "jail/jailer/arguments.hpp"

#include <gtest/gtest.h>

namespace mote::jailer {
namespace {

using Words = std::vector<const char*>;

const Words kRequired = {"--id", "vm-1", "--exec-file", "/bin/vmm", "--uid", "123", "--gid", "100"};

Words with(const Words& more) {
  Words words = kRequired;
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Arguments read(const Words& words) {
  const auto arguments = parse_arguments(words);
  EXPECT_TRUE(arguments) << arguments.error().message();
  return arguments ? *arguments : Arguments{};
}

std::string refusal(const Words& words) {
  const auto arguments = parse_arguments(words);
  return arguments ? "accepted" : arguments.error().message();
}

std::string refused_id(const char* id) {
  return refusal({"--id", id, "--exec-file", "/bin/vmm", "--uid", "0", "--gid", "0"});
}

TEST(JailerArguments, Defaults) {
  const Arguments arguments = read(kRequired);
  EXPECT_EQ(arguments.id, "vm-1");
  EXPECT_EQ(arguments.exec_file, "/bin/vmm");
  EXPECT_EQ(arguments.uid, 123u);
  EXPECT_EQ(arguments.gid, 100u);
  EXPECT_EQ(arguments.chroot_base, "/srv/jailer");
  EXPECT_EQ(arguments.netns, "");
  EXPECT_FALSE(arguments.daemonize);
  EXPECT_FALSE(arguments.new_pid_ns);
  EXPECT_TRUE(arguments.cgroups.empty());
  EXPECT_EQ(arguments.cgroup_version, 1u);
  EXPECT_FALSE(arguments.parent_cgroup);
  EXPECT_FALSE(arguments.file_size);
  EXPECT_EQ(arguments.descriptors, 2048u);
  EXPECT_TRUE(arguments.extra.empty());
}

TEST(JailerArguments, EveryFlag) {
  const Arguments arguments = read(with({"--chroot-base-dir",
                                         "/jails",
                                         "--netns",
                                         "/run/netns/a",
                                         "--daemonize",
                                         "--new-pid-ns",
                                         "--cgroup",
                                         "cpu.shares=2",
                                         "--cgroup",
                                         "io.max=8:0 rbps=1",
                                         "--cgroup-version",
                                         "2",
                                         "--parent-cgroup",
                                         "a/b",
                                         "--resource-limit",
                                         "fsize=1000",
                                         "--resource-limit",
                                         "no-file=9",
                                         "--detached-root",
                                         "--",
                                         "--no-seccomp",
                                         "--id",
                                         "--"}));
  EXPECT_EQ(arguments.chroot_base, "/jails");
  EXPECT_EQ(arguments.netns, "/run/netns/a");
  EXPECT_TRUE(arguments.daemonize);
  EXPECT_TRUE(arguments.new_pid_ns);
  EXPECT_TRUE(arguments.detached_root);
  EXPECT_EQ(arguments.cgroups,
            (std::vector<jail::CgroupSetting>{{"cpu.shares", "2"}, {"io.max", "8:0 rbps=1"}}));
  EXPECT_EQ(arguments.cgroup_version, 2u);
  EXPECT_EQ(arguments.parent_cgroup, "a/b");
  EXPECT_EQ(arguments.file_size, 1000u);
  EXPECT_EQ(arguments.descriptors, 9u);
  EXPECT_EQ(arguments.extra, (std::vector<std::string>{"--no-seccomp", "--id", "--"}));
}

TEST(JailerArguments, HelpAndVersionTakeNothingElse) {
  EXPECT_TRUE(read({"--version"}).version);
  EXPECT_TRUE(read({"--nonsense", "--help"}).help);
  EXPECT_FALSE(read(with({"--", "--version"})).version);
}

TEST(JailerArguments, Ids) {
  EXPECT_EQ(refused_id(""),
            "Invalid instance ID: Invalid len (0);  the length must be between 1 and 64");
  EXPECT_EQ(refused_id(std::string(65, 'a').c_str()),
            "Invalid instance ID: Invalid len (65);  the length must be between 1 and 64");
  EXPECT_EQ(refused_id(std::string(64, 'a').c_str()), "accepted");
  EXPECT_EQ(refused_id("a_b"), "Invalid instance ID: Invalid char (_) at position 1");
  EXPECT_EQ(refused_id("../x"), "Invalid instance ID: Invalid char (.) at position 0");
  EXPECT_EQ(refused_id("a/b"), "Invalid instance ID: Invalid char (/) at position 1");
}

TEST(JailerArguments, WordsThatAreOutOfPlace) {
  EXPECT_EQ(refusal({}), "Failed to parse arguments: Argument 'id' required, but not found.");
  EXPECT_EQ(refusal(with({"--node", "0"})),
            "Failed to parse arguments: Found argument 'node' which wasn't expected, or isn't "
            "valid in this context.");
  EXPECT_EQ(refusal(with({"stray"})),
            "Failed to parse arguments: Found argument 'stray' which wasn't expected, or isn't "
            "valid in this context.");
  EXPECT_EQ(refusal(with({"--id", "again"})),
            "Failed to parse arguments: The argument 'id' was provided more than once.");
  EXPECT_EQ(refusal(with({"--netns"})),
            "Failed to parse arguments: The argument 'netns' requires a value, but none was "
            "supplied.");
  EXPECT_EQ(refusal(with({"--netns", "--daemonize"})),
            "Failed to parse arguments: The argument 'netns' requires a value, but none was "
            "supplied.");
}

TEST(JailerArguments, Users) {
  for (const char* number : {"", "x", "-1", "4294967296", "1x"}) {
    EXPECT_EQ(refusal({"--id", "a", "--exec-file", "b", "--uid", number, "--gid", "0"}),
              "Invalid uid: " + std::string(number));
    EXPECT_EQ(refusal({"--id", "a", "--exec-file", "b", "--uid", "0", "--gid", number}),
              "Invalid gid: " + std::string(number));
  }
}

TEST(JailerArguments, Cgroups) {
  for (const char* text : {"zzz", "cpu.shares", "cpu.shares="}) {
    EXPECT_EQ(refusal(with({"--cgroup", text})),
              "Invalid format for cgroups: " + std::string(text));
  }
  for (const char* file : {"shares", "cpu.", ".shares", "../a.b", ""}) {
    EXPECT_EQ(refusal(with({"--cgroup", (std::string(file) + "=1").c_str()})),
              "Cgroup invalid file: " + std::string(file));
  }
  for (const char* path : {"/a", "..", "a/../b", "./a", "."}) {
    EXPECT_EQ(refusal(with({"--parent-cgroup", path})),
              "Parent cgroup path is invalid. Path should not be absolute or contain '..' or '.'");
  }
  EXPECT_EQ(refusal(with({"--cgroup-version", "3"})), "3 is an invalid cgroup version specifier");
}

TEST(JailerArguments, ResourceLimits) {
  EXPECT_EQ(refusal(with({"--resource-limit", "zzz"})), "Invalid format for resources limits: zzz");
  EXPECT_EQ(refusal(with({"--resource-limit", "zzz=1"})), "Invalid resource argument: zzz");
  EXPECT_EQ(refusal(with({"--resource-limit", "fsize=x"})),
            "Invalid limit value for resource: x: invalid digit found in string");
  EXPECT_EQ(refusal(with({"--resource-limit", "fsize="})),
            "Invalid limit value for resource: : cannot parse integer from empty string");
  EXPECT_EQ(refusal(with({"--resource-limit", "no-file=99999999999999999999"})),
            "Invalid limit value for resource: 99999999999999999999: number too large to fit in "
            "target type");
}

}  // namespace
}  // namespace mote::jailer
