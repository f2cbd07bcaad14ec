// SPDX-License-Identifier: Apache-2.0
// What the process of a VM is to the host while its guest runs, and what is left of it afterwards.
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "tests/kvm/run_mote.hpp"

namespace mote::test {
namespace {

std::vector<std::string> entries(const std::string& folder) {
  std::vector<std::string> names;
  DIR* const open = ::opendir(folder.c_str());
  if (open == nullptr) return names;
  while (const dirent* entry = ::readdir(open)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  ::closedir(open);
  std::sort(names.begin(), names.end());
  return names;
}

std::string link(const std::string& path) {
  char target[256];
  const ssize_t size = ::readlink(path.c_str(), target, sizeof(target));
  return size < 0 ? std::string() : std::string(target, static_cast<std::size_t>(size));
}

/// A line of /proc/.../status behind its name.
std::string status(const std::string& task, const std::string& name) {
  std::ifstream file(task + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name + ":\t", 0) == 0) return line.substr(name.size() + 2);
  }
  return {};
}

std::string proc(pid_t process) {
  return "/proc/" + std::to_string(process);
}

/// The folders of a process's threads.
std::vector<std::string> tasks(pid_t process) {
  std::vector<std::string> folders;
  for (const std::string& tid : entries(proc(process) + "/task")) {
    folders.push_back(proc(process) + "/task/" + tid);
  }
  return folders;
}

class Sandbox : public KvmTest {
 protected:
  void SetUp() override {
    KvmTest::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "looks at processes of other users: needs root";
  }
};

constexpr char kNoCapabilities[] = "0000000000000000";

TEST_F(Sandbox, EveryThreadIsSomebodyElseWithoutPrivileges) {
  Process process({"run", "--kernel", guest("halt_forever"), "--vcpus", "3"});
  ASSERT_TRUE(process.wait_for_output("idle"));
  const auto threads = tasks(process.vm_pid());
  EXPECT_GE(threads.size(), 4u);
  std::set<std::string> users;
  for (const std::string& task : threads) {
    SCOPED_TRACE(status(task, "Name"));
    users.insert(status(task, "Uid"));
    EXPECT_EQ(status(task, "Uid"), status(task, "Gid"));
    EXPECT_EQ(status(task, "Groups"), " ");
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
      EXPECT_EQ(status(task, set), kNoCapabilities) << set;
    }
    EXPECT_EQ(status(task, "NoNewPrivs"), "1");
    for (const char* space : {"mnt", "ipc", "uts", "cgroup", "net", "pid"}) {
      const std::string of_vm = link(task + "/ns/" + space);
      EXPECT_NE(of_vm, "") << space;
      EXPECT_NE(of_vm, link(std::string("/proc/self/ns/") + space)) << space;
    }
  }
  ASSERT_EQ(users.size(), 1u);
  EXPECT_GE(std::atoi(users.begin()->c_str()), 0x70000000);
  // The first process of its PID namespace, and alone in it.
  EXPECT_EQ(status(proc(process.vm_pid()), "NStgid"), std::to_string(process.vm_pid()) + "\t1");
  process.signal(SIGTERM);
  EXPECT_EQ(process.finish().exit_code, 143);
}

TEST_F(Sandbox, TheRootIsEmptyAndNoDescriptorLeadsOut) {
  // What a careless caller leaves open for its children.
  const int left_open = ::open("/etc", O_RDONLY | O_DIRECTORY);
  ASSERT_GE(left_open, 0);
  Process process({"run", "--kernel", guest("halt_forever")});
  ::close(left_open);
  ASSERT_TRUE(process.wait_for_output("idle"));
  const std::string vm = proc(process.vm_pid());
  EXPECT_TRUE(entries(vm + "/root/").empty());
  struct stat root{};
  struct stat host{};
  ASSERT_EQ(::stat((vm + "/root/").c_str(), &root), 0);
  ASSERT_EQ(::stat("/", &host), 0);
  EXPECT_NE(root.st_dev, host.st_dev);
  for (const std::string& fd : entries(vm + "/fd")) {
    const std::string target = link(vm + "/fd/" + fd);
    EXPECT_TRUE(target.rfind("anon_inode:", 0) == 0 || std::atoi(fd.c_str()) <= 2)
        << fd << ": " << target;
  }
  process.signal(SIGTERM);
  process.finish();
}

TEST_F(Sandbox, TwoVmsAreDifferentUsers) {
  Process first({"run", "--kernel", guest("halt_forever")});
  Process second({"run", "--kernel", guest("halt_forever")});
  ASSERT_TRUE(first.wait_for_output("idle"));
  ASSERT_TRUE(second.wait_for_output("idle"));
  EXPECT_NE(status(proc(first.vm_pid()), "Uid"), status(proc(second.vm_pid()), "Uid"));
}

TEST_F(Sandbox, TheUserCanBeChosen) {
  Process process({"run", "--kernel", guest("halt_forever"), "--uid", "4321", "--gid", "8765"});
  ASSERT_TRUE(process.wait_for_output("idle")) << process.errors();
  EXPECT_EQ(status(proc(process.vm_pid()), "Uid"), "4321\t4321\t4321\t4321");
  EXPECT_EQ(status(proc(process.vm_pid()), "Gid"), "8765\t8765\t8765\t8765");
}

TEST_F(Sandbox, ResourceLimitsAreLowered) {
  Process process({"run", "--kernel", guest("halt_forever")});
  ASSERT_TRUE(process.wait_for_output("idle"));
  std::ifstream file(proc(process.vm_pid()) + "/limits");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find("Max core file size        0                    0 "), std::string::npos)
      << text.str();
}

TEST_F(Sandbox, SignalsReachTheVmThroughItsSupervisor) {
  for (const auto& [signal, code] : {std::pair(SIGTERM, 143), std::pair(SIGINT, 130)}) {
    Process process({"run", "--kernel", guest("halt_forever")});
    ASSERT_TRUE(process.wait_for_output("idle"));
    const pid_t vm = process.vm_pid();
    process.signal(signal);
    EXPECT_EQ(process.finish().exit_code, code);
    EXPECT_TRUE(is_gone(vm));
  }
}

TEST_F(Sandbox, AVmWhoseSupervisorIsKilledEnds) {
  Process process({"run", "--kernel", guest("halt_forever")});
  ASSERT_TRUE(process.wait_for_output("idle"));
  const pid_t vm = process.vm_pid();
  process.signal(SIGKILL);
  EXPECT_EQ(process.finish().exit_code, 128 + SIGKILL);
  EXPECT_TRUE(is_gone(vm));
}

TEST_F(Sandbox, AVmThatIsKilledIsReported) {
  Process process({"run", "--kernel", guest("halt_forever")});
  ASSERT_TRUE(process.wait_for_output("idle"));
  ::kill(process.vm_pid(), SIGKILL);
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 128 + SIGKILL);
  EXPECT_NE(outcome.err.find("the process of the VM was ended by signal 9"), std::string::npos)
      << outcome.err;
}

TEST_F(Sandbox, IsLeftOutOnRequest) {
  Process process({"run", "--kernel", guest("halt_forever"), "--no-sandbox"});
  ASSERT_TRUE(process.wait_for_output("idle"));
  EXPECT_EQ(link(proc(process.pid()) + "/ns/mnt"), link("/proc/self/ns/mnt"));
  process.signal(SIGTERM);
  EXPECT_EQ(process.finish().exit_code, 143);
}

/// The processes that a process has made, in that order.
std::vector<pid_t> children(pid_t process) {
  std::ifstream file(proc(process) + "/task/" + std::to_string(process) + "/children");
  std::vector<pid_t> found;
  for (pid_t child = 0; file >> child;) found.push_back(child);
  return found;
}

/// The control group of the number of processes, by the path of its folder.
std::string pids_group(pid_t process) {
  std::ifstream file(proc(process) + "/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (const auto v1 = line.find(":pids:"); v1 != std::string::npos) {
      return "/sys/fs/cgroup/pids" + line.substr(v1 + 6);
    }
    if (line.rfind("0::", 0) == 0 && ::access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
      return "/sys/fs/cgroup" + line.substr(3);
    }
  }
  return {};
}

TEST_F(Sandbox, LimitsPutTheVmIntoAGroupThatGoesWithWhateverEndsIt) {
  // The guard is made first, the VM's process second.
  const auto by = [](auto whom, int signal) {
    return [=](const Process& process) { ::kill(whom(process), signal); };
  };
  const auto supervisor = [](const Process& process) { return process.pid(); };
  const auto guard = [](const Process& process) { return children(process.pid()).at(0); };
  const auto vm = [](const Process& process) { return children(process.pid()).at(1); };
  const std::function<void(const Process&)> ends[] = {by(supervisor, SIGTERM),
                                                      by(supervisor, SIGKILL), by(vm, SIGKILL)};
  for (const auto& end : ends) {
    Process process({"run", "--kernel", guest("halt_forever"), "--limit", "pids=40"});
    ASSERT_TRUE(process.wait_for_output("idle")) << process.errors();
    const pid_t guarding = guard(process);
    const std::string group = pids_group(vm(process));
    EXPECT_NE(group, pids_group(process.pid()));
    EXPECT_EQ(group.substr(group.rfind('/') + 1), "mote-" + std::to_string(process.pid()));
    std::ifstream file(group + "/pids.max");
    int limit = 0;
    EXPECT_TRUE(file >> limit && limit == 40) << group;
    end(process);
    process.finish();
    EXPECT_TRUE(is_gone(guarding));
    EXPECT_NE(::access(group.c_str(), F_OK), 0) << group << " is left";
  }
}

/// Makes `folder` the place where an ordinary user finds the program, a guest and a /dev/kvm that
/// everybody may open. Becomes that user, for whom the process has a mount namespace of its own.
bool become_ordinary_user(const char* folder, const std::string& kernel) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("", folder, "tmpfs", 0, "mode=0755") != 0 || ::chdir(folder) != 0) {
    return false;
  }
  for (const auto& [name, from] :
       {std::pair("mote", std::string(MOTE_BINARY)), std::pair("guest", kernel)}) {
    std::ofstream(name, std::ios::binary) << std::ifstream(from, std::ios::binary).rdbuf();
    if (::chmod(name, 0755) != 0) return false;
  }
  return ::mknod("kvm", S_IFCHR | 0666, makedev(10, 232)) == 0 && ::chmod("kvm", 0666) == 0 &&
         ::mount("kvm", "/dev/kvm", nullptr, MS_BIND, nullptr) == 0 &&
         ::setgroups(0, nullptr) == 0 && ::setresgid(4321, 4321, 4321) == 0 &&
         ::setresuid(4321, 4321, 4321) == 0;
}

TEST_F(Sandbox, AnOrdinaryUserHasTheSame) {
  char folder[] = "/tmp/mote-user-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  int output[2];
  ASSERT_EQ(::pipe(output), 0);
  const pid_t mote = ::fork();
  if (mote == 0) {
    ::dup2(output[1], STDOUT_FILENO);
    if (!become_ordinary_user(folder, guest("halt_forever"))) ::_exit(100);
    ::execl("mote", "mote", "run", "--kernel", "guest", "--vcpus", "2", nullptr);
    ::_exit(101);
  }
  ::close(output[1]);
  std::string text;
  for (char byte = 0; text != "idle" && ::read(output[0], &byte, 1) == 1;) text += byte;
  EXPECT_EQ(text, "idle");
  const pid_t vm = vm_process(mote);
  EXPECT_TRUE(entries(proc(vm) + "/root/").empty());
  for (const std::string& task : tasks(vm)) {
    SCOPED_TRACE(status(task, "Name"));
    EXPECT_EQ(status(task, "Uid"), "4321\t4321\t4321\t4321");
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
      EXPECT_EQ(status(task, set), kNoCapabilities) << set;
    }
    for (const char* space : {"user", "mnt", "ipc", "uts", "cgroup", "net", "pid"}) {
      EXPECT_NE(link(task + "/ns/" + space), link(std::string("/proc/self/ns/") + space)) << space;
    }
  }
  ::kill(mote, SIGTERM);
  int result = 0;
  ::waitpid(mote, &result, 0);
  ::close(output[0]);
  ::rmdir(folder);
  EXPECT_TRUE(WIFEXITED(result) && WEXITSTATUS(result) == 143) << result;
}

}  // namespace
}  // namespace mote::test
