// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/option_words.hpp"

#include <charconv>
#include <string>

namespace mote {

std::string_view cut(std::string_view& text, char mark) {
  const std::size_t end = text.find(mark);
  const std::string_view front = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return front;
}

Error refused_value(std::string_view key, std::string_view value, const char* expected) {
  return Error::config(std::string(key) + " must be " + expected + ", not '" + std::string(value) +
                       "'");
}

Result<void> set_option_number(std::string_view key, std::string_view value, u32& number) {
  const char* const end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc{} || rest != end) return refused_value(key, value, "a whole number");
  return {};
}

Result<Transport> parse_transport(std::string_view value) {
  if (value == "mmio") return Transport::kMmio;
  if (value == "pci") return Transport::kPci;
  return refused_value("transport", value, "mmio or pci");
}

}  // namespace mote
