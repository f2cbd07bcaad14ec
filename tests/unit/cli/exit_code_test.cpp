// SPDX-License-Identifier: Apache-2.0
// Exit codes are an interface: the program and its documents say the same.
#include "cli/exit_code.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace mote {
namespace {

/// "0 the guest powered off", for every exit code of the program.
std::vector<std::string> program_codes() {
  std::vector<std::string> codes;
  for (const ExitCodeText& text : exit_codes()) {
    codes.push_back(std::to_string(static_cast<int>(text.code)) + " " + text.meaning);
  }
  return codes;
}

/// The first two columns of the table "| code | meaning | ..." in docs/exit-codes.md.
std::vector<std::string> documented_codes() {
  std::ifstream page(MOTE_SOURCE_ROOT "/docs/exit-codes.md");
  std::vector<std::string> codes;
  for (std::string line; std::getline(page, line);) {
    if (line.size() < 3 || !line.starts_with("| ") || line[2] < '0' || line[2] > '9') continue;
    const std::size_t bar = line.find(" | ");
    codes.push_back(line.substr(2, bar - 2) + " " +
                    line.substr(bar + 3, line.find(" | ", bar + 3) - bar - 3));
  }
  return codes;
}

/// The same of the man page: a tagged paragraph ".B 16" in the section EXIT STATUS.
std::vector<std::string> man_page_codes() {
  std::ifstream page(MOTE_SOURCE_ROOT "/docs/mote.1");
  std::vector<std::string> codes;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with(".B ") || line[3] < '0' || line[3] > '9') continue;
    std::string meaning;
    std::getline(page, meaning);
    std::erase(meaning, '\\');
    codes.push_back(line.substr(3) + " " + meaning);
  }
  return codes;
}

TEST(ExitCode, IsDocumented) {
  EXPECT_EQ(documented_codes(), program_codes());
}

TEST(ExitCode, IsInTheManPage) {
  EXPECT_EQ(man_page_codes(), program_codes());
}

TEST(ExitCode, FollowsFromWhoseFaultItIs) {
  EXPECT_EQ(exit_code_for(Fault::kHost), ExitCode::kHostFailure);
  EXPECT_EQ(exit_code_for(Fault::kConfig), ExitCode::kUsage);
  EXPECT_EQ(exit_code_for(Fault::kImage), ExitCode::kImageRefused);
}

}  // namespace
}  // namespace mote
