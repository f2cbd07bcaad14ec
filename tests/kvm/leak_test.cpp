// SPDX-License-Identifier: Apache-2.0
// That nothing is left of a VM: 1,000 that end by themselves, 200 that are killed at any moment,
// and some of both that are served.
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <vector>

#include "tests/kvm/run_mote.hpp"
#include "tests/kvm/small_world.hpp"

namespace mote::test {
namespace {

constexpr int kCycles = 1000;
constexpr int kUserCycles = 200;
constexpr int kKills = 200;
constexpr int kServedCycles = 100;  // of each user
constexpr int kServedKills = 40;
/// The kernel takes networks apart some time after their last process; more than these left behind
/// would be a leak.
constexpr int kMostNamespaces = 200;
constexpr int kPatienceMs = 10'000;
constexpr char kTap[] = "tap0";
constexpr char kSocket[] = "api.sock";

/// What is run.
struct Kind {
  Who who;
  bool is_served = false;  ///< behind its API, which nobody asks; it sees a folder
};

/// The name of the VM's control group: nobody else's.
std::string group() {
  static const std::string name =
      "mote-leaks-" + std::filesystem::path(std::filesystem::current_path()).filename().string();
  return name;
}

int groups_left() {
  int found = 0;
  std::error_code ignored;
  const auto options = std::filesystem::directory_options::skip_permission_denied;
  for (auto at = std::filesystem::recursive_directory_iterator("/sys/fs/cgroup", options, ignored);
       at != std::filesystem::recursive_directory_iterator(); at.increment(ignored)) {
    found += at->path().filename().string().starts_with(group()) ? 1 : 0;
  }
  return found;
}

/// All that could be left behind, but for namespaces.
struct Inventory {
  std::vector<std::string> files;
  std::vector<std::string> interfaces;
  int mounts = 0;
  int descriptors = 0;
  int processes = 0;
  int groups = 0;
  bool operator==(const Inventory&) const = default;
};

Inventory take_inventory() {
  Inventory inventory{.mounts = mounts(),
                      .descriptors = descriptors(),
                      .processes = other_processes(),
                      .groups = groups_left()};
  for (const auto& entry : std::filesystem::directory_iterator(".")) {
    inventory.files.push_back(entry.path().string());
  }
  std::sort(inventory.files.begin(), inventory.files.end());
  struct if_nameindex* const all = ::if_nameindex();
  for (const struct if_nameindex* one = all; one != nullptr && one->if_name != nullptr; ++one) {
    inventory.interfaces.emplace_back(one->if_name);
  }
  ::if_freenameindex(all);
  return inventory;
}

std::string difference(const Inventory& before, const Inventory& after) {
  if (before == after) return {};
  std::string text = "left behind:";
  const auto say = [&text](const char* what, auto was, auto is) {
    if (was != is)
      text += " " + std::string(what) + " " + std::to_string(was) + " -> " + std::to_string(is);
  };
  say("files", before.files.size(), after.files.size());
  say("interfaces", before.interfaces.size(), after.interfaces.size());
  say("mounts", before.mounts, after.mounts);
  say("descriptors", before.descriptors, after.descriptors);
  say("processes", before.processes, after.processes);
  say("control groups", before.groups, after.groups);
  return text;
}

bool within_patience(const std::function<bool()>& holds) {
  for (int i = 0; i < kPatienceMs; ++i) {
    if (holds()) return true;
    ::usleep(1000);
  }
  return false;
}

/// A persistent tap for `user`.
bool make_tap(unsigned user) {
  const int fd = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  ifreq request{};
  std::strcpy(request.ifr_name, kTap);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  const bool done = fd >= 0 && ::ioctl(fd, TUNSETIFF, &request) == 0 &&
                    ::ioctl(fd, TUNSETOWNER, user) == 0 && ::ioctl(fd, TUNSETPERSIST, 1) == 0;
  ::close(fd);
  return done;
}

/// Starts a VM with a disk, an interface and, where it may have one, a control group.
pid_t start_vm(const Kind& kind, int output) {
  const pid_t mote = ::fork();
  if (mote != 0) return mote;
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  if (kind.who == Who::kOrdinaryUser &&
      (::setgroups(0, nullptr) != 0 ||
       ::setresgid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) != 0 ||
       ::setresuid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) != 0)) {
    ::_exit(126);
  }
  const std::string limit = "pids=64,group=" + group();
  std::vector<const char*> words = {"mote", "run", "vm.toml"};
  if (kind.is_served) {
    words = {"mote", "serve", "--api-sock", kSocket, "--dir", ".", "--config-file", "vm.toml"};
  }
  if (kind.who == Who::kRoot) words.insert(words.end(), {"--limit", limit.c_str()});
  words.push_back(nullptr);
  ::execv("mote", const_cast<char**>(words.data()));
  ::_exit(127);
}

std::string read_from_start(int file) {
  char text[1024];
  const ssize_t size = ::pread(file, text, sizeof(text), 0);
  return {text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

/// One that powers itself off. What it said, if that went wrong.
std::string run_once(const Kind& kind, int output) {
  if (::ftruncate(output, 0) != 0) return "log";
  const pid_t mote = start_vm(kind, output);
  int status = 0;
  ::waitpid(mote, &status, 0);
  if (status == 0) return {};
  return "status " + std::to_string(status) + ": " + read_from_start(output);
}

std::string prepare(Who who) {
  std::ofstream("disk.img") << std::string(1 << 20, '\0');
  ::chmod("disk.img", 0666);
  std::ofstream("log");
  std::ofstream("vm.toml")
      << "kernel.path = \"power_off_pm1.elf\"\nblock = [{ path = \"disk.img\" }]\n"
      << "net = [{ tap = \"" << kTap << "\" }]\n";
  if (!limit_namespaces(kMostNamespaces)) return "namespaces cannot be limited";
  return make_tap(who == Who::kRoot ? 0 : kOrdinaryUser) ? "" : "no tap";
}

/// With no namespaces but those of the world and of one VM there is room for a VM, once the kernel
/// has taken the others apart.
std::string count_namespaces(const Kind& kind, int output) {
  constexpr int kOwn = 2;  // the world's mounts, twice: /proc
  // Of mounts there is one more, to the kernel, for each that is attached nowhere.
  const int detached = kind.is_served ? 2 : 0;
  if (!limit_namespaces(kOwn + 1) || !limit_namespaces("mnt", kOwn + 1 + detached)) {
    return "namespaces cannot be limited";
  }
  std::string problem;
  within_patience([&] {
    problem = run_once(kind, output);
    return problem.empty();
  });
  return problem.empty() ? problem : "namespaces are left: " + problem;
}

/// `cycles` VMs that `run` runs; what is left then.
std::string live_through(const Kind& kind, int cycles,
                         const std::function<std::string(int output)>& run) {
  std::string problem = prepare(kind.who);
  if (!problem.empty()) return problem;
  const int output = ::open("log", O_RDWR | O_APPEND | O_CLOEXEC);
  problem = run_once(kind, output);
  if (!problem.empty()) return "the first: " + problem;
  const Inventory before = take_inventory();
  for (int i = 0; i < cycles; ++i) {
    problem = run(output);
    if (!problem.empty()) return "cycle " + std::to_string(i) + ": " + problem;
  }
  within_patience([&before] {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return take_inventory() == before;
  });
  problem = difference(before, take_inventory());
  return problem.empty() ? count_namespaces(kind, output) : problem;
}

std::string end_by_themselves(const Kind& kind, int cycles) {
  return live_through(kind, cycles, [&kind](int output) { return run_once(kind, output); });
}

/// The VM's process, once there is one: the guard of a control group is an older child.
pid_t vm_of(pid_t mote, Who who) {
  const std::string self = std::to_string(mote);
  std::ifstream file("/proc/" + self + "/task/" + self + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children.size() > (who == Who::kRoot ? 1U : 0U) ? children.back() : 0;
}

/// Kills the supervisor or the VM's process, whatever they are doing, and waits for all of it to be
/// gone.
std::string kill_once(const Kind& kind, int output, std::mt19937& random) {
  const pid_t mote = start_vm(kind, output);
  ::usleep(std::uniform_int_distribution<unsigned>(0, 8000)(random));
  const pid_t vm = vm_of(mote, kind.who);
  const bool kills_vm = vm != 0 && random() % 2 == 0;
  ::kill(kills_vm ? vm : mote, SIGKILL);
  const bool is_gone = within_patience([] {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return other_processes() == 0;
  });
  // Who is killed cannot remove anything.
  if (!kills_vm) ::unlink(kSocket);
  return is_gone    ? ""
         : kills_vm ? "a process outlives the VM's"
                    : "a process outlives the supervisor";
}

std::string are_killed(const Kind& kind, int kills) {
  std::mt19937 random(std::random_device{}());
  return live_through(kind, kills, [&](int output) { return kill_once(kind, output, random); });
}

class Leaks : public KvmTest {
 protected:
  void SetUp() override {
    KvmTest::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "makes a world of its own: needs root";
  }
  static std::string live(std::string (*body)()) {
    const std::string kernel = guest("power_off_pm1");
    return in_small_world({MOTE_BINARY, kernel.c_str()}, body);
  }
};

TEST_F(Leaks, NothingIsLeftOfVmsThatEnd) {
  EXPECT_EQ(live([] { return end_by_themselves({Who::kRoot}, kCycles); }), "");
}

TEST_F(Leaks, NothingIsLeftOfAnOrdinaryUsersVmsThatEnd) {
  EXPECT_EQ(live([] { return end_by_themselves({Who::kOrdinaryUser}, kUserCycles); }), "");
}

TEST_F(Leaks, NothingIsLeftOfVmsThatAreKilled) {
  EXPECT_EQ(live([] { return are_killed({Who::kRoot}, kKills); }), "");
}

TEST_F(Leaks, NothingIsLeftOfAnOrdinaryUsersVmsThatAreKilled) {
  EXPECT_EQ(live([] { return are_killed({Who::kOrdinaryUser}, kKills); }), "");
}

TEST_F(Leaks, NothingIsLeftOfServedVmsThatEnd) {
  EXPECT_EQ(live([] { return end_by_themselves({Who::kRoot, true}, kServedCycles); }), "");
  EXPECT_EQ(live([] { return end_by_themselves({Who::kOrdinaryUser, true}, kServedCycles); }), "");
}

TEST_F(Leaks, NothingIsLeftOfServedVmsThatAreKilled) {
  EXPECT_EQ(live([] { return are_killed({Who::kRoot, true}, kServedKills); }), "");
  EXPECT_EQ(live([] { return are_killed({Who::kOrdinaryUser, true}, kServedKills); }), "");
}

}  // namespace
}  // namespace mote::test
