// SPDX-License-Identifier: Apache-2.0
#include "tests/kvm/net_guest.hpp"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace mote::test {
namespace {
constexpr std::uint16_t kExperimental = 0x88B5;
}  // namespace

std::string guest_mac_text() {
  return "02:00:00:00:00:02";
}
MacBytes guest_mac() {
  return {"\x02\0\0\0\0\x02", 6};
}

std::vector<std::string> arguments_for(const std::string& guest_name, const std::string& net,
                                       const std::string& words,
                                       const std::vector<std::string>& more) {
  std::vector<std::string> all = {"run", "--kernel", guest(guest_name), "--cmdline", words};
  if (!net.empty()) all.insert(all.end(), {"--net", net});
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

double cpu_beside_the_vcpu(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  DIR* tasks = ::opendir(folder.c_str());
  if (tasks == nullptr) return -1;
  double total = 0;
  while (const dirent* task = ::readdir(tasks)) {
    if (task->d_name[0] == '.' || std::atoi(task->d_name) == pid) continue;
    std::ifstream file(folder + "/" + task->d_name + "/stat");
    std::string text;
    std::getline(file, text);
    // Behind the name in parentheses: state and 10 numbers, then user and system time in ticks.
    std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    total += (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  ::closedir(tasks);
  return total;
}

HostFrame plain_frame(const MacBytes& to, std::uint32_t size) {
  return {{}, ethernet(to, tester_mac(), kExperimental, std::string(size - 14, 'x'))};
}
HostFrame numbered_frame(const MacBytes& to, std::uint32_t size, std::uint64_t number) {
  HostFrame frame = plain_frame(to, size);
  std::memcpy(frame.bytes.data() + 14, &number, sizeof(number));
  return frame;
}

std::string swapped(const std::string& frame) {
  return frame.substr(6, 6) + frame.substr(0, 6) + frame.substr(12);
}

}  // namespace mote::test
