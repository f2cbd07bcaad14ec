// SPDX-License-Identifier: Apache-2.0
#include "core/mac_address.hpp"

#include <charconv>

#include "core/text.hpp"

namespace mote {
namespace {

// The two lowest bits of the first byte [IEEE 802-2014 8.2.2].
constexpr u8 kGroup = 0x01;
constexpr u8 kLocal = 0x02;

constexpr std::size_t kTextSize = 17;
constexpr std::size_t kLongestQuote = 64;

/// FNV-1a of 64 bits: short, and well spread for words that differ in a letter.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) add(static_cast<u8>(c));
  }
  void add(u8 byte) { value_ = (value_ ^ byte) * 0x100000001b3; }
  u64 value() const { return value_; }

 private:
  u64 value_ = 0xcbf29ce484222325;
};

}  // namespace

Result<MacAddress> parse_mac(std::string_view text) {
  MacAddress mac{};
  bool right = text.size() == kTextSize;
  for (std::size_t i = 0; right && i < mac.size(); ++i) {
    const char* const digits = text.data() + 3 * i;
    const auto [end, error] = std::from_chars(digits, digits + 2, mac[i], 16);
    right = error == std::errc{} && end == digits + 2 && (i + 1 == mac.size() || *end == ':');
  }
  if (right) return mac;
  return Error::config("'" + std::string(text.substr(0, kLongestQuote)) +
                       "' is no MAC address -- write six pairs of hexadecimal digits, as in "
                       "02:00:5e:00:53:01");
}

std::string print_mac(const MacAddress& mac) {
  return format("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

bool is_unicast(const MacAddress& mac) {
  return (mac[0] & kGroup) == 0 && mac != MacAddress{};
}

MacAddress default_mac(std::string_view id, std::string_view port) {
  Hash hash;
  hash.add(id);
  hash.add(u8{0});  // "ab" at "c" is not "a" at "bc"
  hash.add(port);
  const u64 value = hash.value() ^ (hash.value() >> 48);
  MacAddress mac{};
  for (std::size_t i = 0; i < mac.size(); ++i) mac[i] = static_cast<u8>(value >> (8 * i));
  mac[0] = static_cast<u8>((mac[0] & ~(kGroup | kLocal)) | kLocal);
  return mac;
}

}  // namespace mote
