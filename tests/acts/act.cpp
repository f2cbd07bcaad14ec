// SPDX-License-Identifier: Apache-2.0
#include "tests/acts/act.hpp"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/text.hpp"

namespace mote::acts {
namespace {

constexpr std::span<const Act> (*kGroups[])() = {&file_acts,    &network_acts, &process_acts,
                                                 &program_acts, &mount_acts,   &privilege_acts,
                                                 &kernel_acts,  &memory_acts,  &descriptor_acts};

}  // namespace

std::string write_target(const Target& target) {
  return format("%d %" PRIu64 " %u %d %s %s", target.process, target.address, target.port,
                target.memory, target.socket.c_str(), target.folder.c_str());
}

Target read_target() {
  const char* const text = std::getenv(kTargetVariable);
  Target target{};
  char socket[64] = "";
  char folder[256] = "";
  if (text != nullptr &&
      std::sscanf(text, "%d %" SCNu64 " %hu %d %63s %255s", &target.process, &target.address,
                  &target.port, &target.memory, socket, folder) == 6) {
    target.socket = socket;
    target.folder = folder;
  }
  return target;
}

std::vector<const Act*> all_acts() {
  std::vector<const Act*> acts;
  for (const auto group : kGroups) {
    for (const Act& act : group()) acts.push_back(&act);
  }
  return acts;
}

const Act* find_act(std::string_view name) {
  for (const Act* act : all_acts()) {
    if (act->name == name) return act;
  }
  return nullptr;
}

void perform(const Act& act, const Target& target) {
  errno = 0;
  const long answer = act.run(target);
  const std::string line =
      format("act: %.*s: %ld %s\n", static_cast<int>(act.name.size()), act.name.data(), answer,
             answer < 0 ? ::strerrorname_np(errno) : "done");
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace mote::acts
