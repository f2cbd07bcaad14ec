// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/size.hpp"

#include <charconv>

namespace mote {
namespace {

struct Unit {
  std::string_view name;
  u64 bytes;
};

constexpr Unit kUnits[] = {
    {"TiB", 1024 * kGiB}, {"GiB", kGiB}, {"MiB", kMiB}, {"KiB", kKiB}};  // largest first

Error refused(std::string_view text, const char* why) {
  return Error::config("'" + std::string(text) + "' is no size: " + why +
                       " -- write a whole number and KiB, MiB, GiB or TiB, as in 128MiB");
}

}  // namespace

Result<u64> parse_size(std::string_view text) {
  u64 number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::result_out_of_range) return refused(text, "it does not fit 64 bits");
  if (error != std::errc{}) return refused(text, "it starts with no digit");
  const std::string_view unit_name(rest, static_cast<std::size_t>(end - rest));
  if (unit_name.empty()) return refused(text, "the unit is missing");
  for (const Unit& unit : kUnits) {
    if (unit_name != unit.name) continue;
    if (number > ~u64{0} / unit.bytes) return refused(text, "it does not fit 64 bits");
    return number * unit.bytes;
  }
  return refused(text, "the unit is unknown");
}

std::string print_size(u64 bytes) {
  for (const Unit& unit : kUnits) {
    if (bytes != 0 && bytes % unit.bytes == 0) {
      return std::to_string(bytes / unit.bytes) + std::string(unit.name);
    }
  }
  return std::to_string(bytes) + " bytes";
}

}  // namespace mote
