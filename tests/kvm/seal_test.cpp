// SPDX-License-Identifier: Apache-2.0
// Sealed threads of a running VM: that they are. What becomes of one that does what it may not is
// shown by tests/acts.
#include <dirent.h>
#include <unistd.h>

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
    // The supervisor seals itself beside the start, which has the first claim on the processors.
    for (int i = 0; i < 2000 && of_threads(process.pid(), "Seccomp")["mote"] != "2"; ++i) {
      ::usleep(1000);
    }
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

}  // namespace
}  // namespace mote::test
