// SPDX-License-Identifier: Apache-2.0
// Words of a text. Pure.
#pragma once

#include <string_view>
#include <vector>

namespace mote::jail {

/// The parts of `text` between `mark`s and at its end a newline; empty parts are left out.
inline std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(mark);
    std::string_view part = text.substr(0, end);
    if (part.ends_with('\n')) part.remove_suffix(1);
    if (!part.empty()) parts.push_back(part);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

}  // namespace mote::jail
