// SPDX-License-Identifier: Apache-2.0
// Puts the command line together.
#include "vmm/boot/cmdline.hpp"

#include "core/text.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {
namespace {

Result<void> check_bytes(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != 0x7f) continue;
    return Error::config(
        format("kernel command line: byte %zu is the control character 0x%02x -- "
               "separate words by blanks, on one line",
               i, static_cast<unsigned>(byte)));
  }
  return {};
}

/// Where the first word `wanted` begins, or the end. A blank in double quotes ends no word.
std::size_t find_word(std::string_view text, std::string_view wanted) {
  bool quoted = false;
  std::size_t word = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const bool word_ends = i == text.size() || (text[i] == ' ' && !quoted);
    if (word_ends) {
      if (text.substr(word, i - word) == wanted) return word;
      word = i + 1;
    } else if (text[i] == '"') {
      quoted = !quoted;
    }
  }
  return text.size();
}

}  // namespace

bool has_word(std::string_view user, std::string_view word) {
  const std::string_view kernels = user.substr(0, find_word(user, "--"));
  return find_word(kernels, word) < kernels.size();
}

Result<std::string> build_cmdline(std::string_view user, std::span<const std::string> added) {
  TRY(check_bytes(user));
  const std::size_t separator = find_word(user, "--");
  std::string line(user.substr(0, separator));
  for (const std::string& word : added) {
    TRY(check_bytes(word));
    if (!line.empty() && line.back() != ' ') line += ' ';
    line += word;
  }
  const std::string_view rest = user.substr(separator);
  if (!rest.empty() && !line.empty() && line.back() != ' ') line += ' ';
  line += rest;
  if (line.size() > kMaxCmdline) {
    return Error::config(
        format("kernel command line: %zu bytes with the %zu that the monitor adds, "
               "but at most %zu are passed on -- shorten it",
               line.size(), line.size() - user.size(), kMaxCmdline));
  }
  return line;
}

}  // namespace mote
