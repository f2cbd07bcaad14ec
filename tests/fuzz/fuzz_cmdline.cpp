// SPDX-License-Identifier: Apache-2.0
// The command line: the first line is the user's, each further one a word that the monitor adds.
#include "vmm/boot/cmdline.hpp"

#include <vector>

#include "vmm/config/vm_config.hpp"

using namespace mote;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  std::vector<std::string> lines(1);
  for (const u8 byte : std::span(data, size)) {
    if (byte == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += static_cast<char>(byte);
    }
  }
  const auto line = build_cmdline(lines[0], std::span(lines).subspan(1));
  if (!line) return 0;
  CHECK(line->size() <= kMaxCmdline, "the line fits");
  CHECK(line->find('\0') == std::string::npos, "the line has one end");
  for (const std::string& word : lines) {
    CHECK(line->size() >= word.size(), "nothing is lost");
  }
  return 0;
}
