// SPDX-License-Identifier: Apache-2.0
// Help, man page and shell completion know the same options as the parser.
#include "cli/help.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "cli/ctl_request.hpp"
#include "cli/options.hpp"

namespace mote {
namespace {

std::string read_file(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Every "--word" in `text`.
std::set<std::string> words_with_dashes(const std::string& text) {
  std::set<std::string> words;
  for (std::size_t at = text.find("--"); at != std::string::npos; at = text.find("--", at)) {
    const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at);
    words.insert(text.substr(at, end - at));
    at = std::min(end, text.size());
  }
  return words;
}

/// Every option of the program.
std::set<std::string> known_options() {
  std::set<std::string> options = {"--version", "--help"};
  for (const Option& option : run_options()) options.insert("--" + std::string(option.name));
  for (const Option& option : serve_options()) options.insert("--" + std::string(option.name));
  for (const Option& option : ctl_options()) options.insert("--" + std::string(option.name));
  for (const Option& option : doctor_options()) options.insert("--" + std::string(option.name));
  for (const Option& option : seccomp_options()) options.insert("--" + std::string(option.name));
  for (const Option& option : vfio_options()) options.insert("--" + std::string(option.name));
  return options;
}

TEST(Help, ListsEveryOptionOfRun) {
  const std::string help = run_help();
  for (const Option& option : run_options()) {
    EXPECT_NE(help.find("\n  --" + std::string(option.name)), std::string::npos) << option.name;
  }
}

TEST(Help, FitsATerminal) {
  for (const std::string& help : {run_help(), serve_help(), ctl_help(), doctor_help(),
                                  seccomp_help(), vfio_help(), program_help({})}) {
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST(Help, ListsTheCommands) {
  const Command commands[] = {{"jump", "leave the ground", nullptr}};
  EXPECT_NE(program_help(commands).find("\n  jump               leave the ground\n"),
            std::string::npos);
}

TEST(Help, ListsWhatCanBeAskedOfAVm) {
  const std::string help = ctl_help();
  for (const CtlVerb& verb : ctl_verbs()) {
    EXPECT_NE(help.find("\n  " + std::string(verb.name) + " "), std::string::npos) << verb.name;
  }
}

TEST(Help, ShowsHowArgumentsAreWritten) {
  const std::string help = run_help();
  EXPECT_NE(help.find("  --kernel FILE "), std::string::npos);
  EXPECT_NE(help.find("  --timeline[=FILE] "), std::string::npos);
}

TEST(ManPage, KnowsTheOptionsOfTheProgram) {
  std::string page = read_file(MOTE_SOURCE_ROOT "/docs/mote.1");
  std::erase(page, '\\');
  EXPECT_EQ(words_with_dashes(page), known_options());
}

TEST(BashCompletion, KnowsTheOptionsOfTheProgram) {
  std::set<std::string> words =
      words_with_dashes(read_file(MOTE_SOURCE_ROOT "/cli/mote.bash-completion"));
  words.erase("--");  // of compgen
  EXPECT_EQ(words, known_options());
}

TEST(BashCompletion, KnowsWhatCanBeAskedOfAVm) {
  std::string verbs = "words='";
  for (const CtlVerb& verb : ctl_verbs()) {
    const std::string word = std::string(verb.name.substr(0, verb.name.find(' '))) + " ";
    if (!verbs.ends_with(word)) verbs += word;
  }
  verbs.back() = '\n';
  const std::string script = read_file(MOTE_SOURCE_ROOT "/cli/mote.bash-completion");
  EXPECT_NE(script.find(verbs), std::string::npos) << verbs;
}

}  // namespace
}  // namespace mote
