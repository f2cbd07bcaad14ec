// SPDX-License-Identifier: Apache-2.0
#include "core/pci_address.hpp"

#include <charconv>

#include "core/text.hpp"

namespace mote {
namespace {

constexpr std::size_t kLongestQuote = 64;

/// Takes one to `digits` hexadecimal digits up to `most` off the front of `text`.
bool take_number(std::string_view& text, std::size_t digits, u32 most, u32& number) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, 16);
  const auto length = static_cast<std::size_t>(rest - text.data());
  text.remove_prefix(length);
  return error == std::errc{} && length <= digits && number <= most;
}

bool take_character(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

bool read(std::string_view text, PciAddress& address) {
  u32 first = 0;
  u32 second = 0;
  u32 third = 0;
  if (!take_number(text, 8, ~0u, first) || !take_character(text, ':') ||
      !take_number(text, 2, 0xff, second)) {
    return false;
  }
  const bool has_domain = take_character(text, ':');
  if (has_domain && !take_number(text, 2, 0x1f, third)) return false;
  if (!has_domain) {
    third = second;
    second = first;
    first = 0;
  }
  u32 function = 0;
  if (!take_character(text, '.') || !take_number(text, 1, 7, function) || !text.empty()) {
    return false;
  }
  if (second > 0xff || third > 0x1f) return false;
  address = {first, static_cast<u8>(second), static_cast<u8>(third), static_cast<u8>(function)};
  return true;
}

}  // namespace

Result<PciAddress> parse_pci_address(std::string_view text) {
  PciAddress address;
  if (read(text, address)) return address;
  return Error::config("'" + std::string(text.substr(0, kLongestQuote)) +
                       "' is no address of a PCI function -- write domain, bus, device and "
                       "function, as in 0000:01:10.0");
}

std::string print_pci_address(const PciAddress& address) {
  return format("%04x:%02x:%02x.%x", address.domain, address.bus, address.device, address.function);
}

}  // namespace mote
