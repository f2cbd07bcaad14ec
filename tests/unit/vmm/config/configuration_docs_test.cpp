// SPDX-License-Identifier: Apache-2.0
// docs/configuration.md says what the reader does: every key, and examples that are read.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "vmm/config/toml_reader.hpp"

namespace mote {
namespace {

std::string configuration_page() {
  std::ifstream file(MOTE_SOURCE_ROOT "/docs/configuration.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Keys in the first column of the tables, by the section [name] that they stand in.
std::set<std::string> documented_keys() {
  std::set<std::string> keys;
  std::istringstream page(configuration_page());
  std::string section;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## [")) {
      const std::size_t start = line.find_first_not_of("# [");
      section = line.substr(start, line.find(']') - start);
    }
    if (line.starts_with("| `")) keys.insert(section + "." + line.substr(3, line.find('`', 3) - 3));
  }
  return keys;
}

std::vector<std::string> documented_examples() {
  constexpr std::string_view kFence = "```toml\n";
  const std::string page = configuration_page();
  std::vector<std::string> examples;
  for (std::size_t at = page.find(kFence); at != std::string::npos; at = page.find(kFence, at)) {
    at += kFence.size();
    examples.push_back(page.substr(at, page.find("```", at) - at));
  }
  return examples;
}

TEST(ConfigurationDocs, DescribeTheKeysOfTheReaderAndNoOthers) {
  std::set<std::string> known;
  for (const TomlKey& key : toml_keys()) {
    known.insert(std::string(key.table) + "." + std::string(key.key));
  }
  EXPECT_EQ(documented_keys(), known);
}

TEST(ConfigurationDocs, HaveExamplesThatAreRead) {
  const auto examples = documented_examples();
  EXPECT_GE(examples.size(), toml_keys().size());
  for (const std::string& example : examples) {
    const auto config = read_toml(example, "docs/configuration.md");
    EXPECT_TRUE(config) << example << config.error().message();
  }
}

TEST(ConfigurationDocs, HaveAnExampleOfEveryKey) {
  const auto examples = documented_examples();
  for (const TomlKey& key : toml_keys()) {
    const std::string dotted = std::string(key.table) + "." + std::string(key.key) + " = ";
    const std::string header = "[" + std::string(key.table) + "]";
    const std::string plain = "\n" + std::string(key.key) + " = ";
    EXPECT_TRUE(std::any_of(examples.begin(), examples.end(), [&](const std::string& example) {
      return example.find(dotted) != std::string::npos ||
             (example.find(header) != std::string::npos &&
              example.find(plain) != std::string::npos);
    })) << dotted;
  }
}

}  // namespace
}  // namespace mote
