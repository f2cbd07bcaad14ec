// SPDX-License-Identifier: Apache-2.0
#include "core/interface_name.hpp"

#include <algorithm>
#include <string>

#include "core/text.hpp"

namespace mote {
namespace {

constexpr std::size_t kLongestQuote = 64;

bool may_stand_in_a_name(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > ' ' && byte != 0x7f && c != '/' && c != ':' && c != '%';
}

}  // namespace

Result<void> check_interface_name(std::string_view name) {
  const std::string quoted = "'" + std::string(name.substr(0, kLongestQuote)) + "'";
  if (name.size() > kMaxInterfaceName) {
    return Error::config(quoted + format(" is too long for a network interface: %zu bytes, and the "
                                         "kernel takes %zu -- choose a shorter name",
                                         name.size(), kMaxInterfaceName));
  }
  if (name.empty() || name == "." || name == ".." ||
      !std::all_of(name.begin(), name.end(), may_stand_in_a_name)) {
    return Error::config(quoted +
                         " is no name of a network interface -- choose up to 15 letters, "
                         "digits, '_' and '-'");
  }
  return {};
}

}  // namespace mote
