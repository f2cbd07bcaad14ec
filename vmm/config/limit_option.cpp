// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/limit_option.hpp"

#include <array>
#include <charconv>
#include <string>

#include "core/text.hpp"
#include "vmm/config/nearest.hpp"
#include "vmm/config/option_words.hpp"
#include "vmm/config/size.hpp"

namespace mote {
namespace {

constexpr std::array<std::string_view, 10> kKeys = {"cpu",
                                                    "cpu_weight",
                                                    "memory",
                                                    "pids",
                                                    "read_bandwidth",
                                                    "write_bandwidth",
                                                    "read_operations",
                                                    "write_operations",
                                                    "parent",
                                                    "group"};
constexpr std::size_t kDecimals = 3;
constexpr std::size_t kMostDigits = 6;

Result<void> set_count(std::string_view key, std::string_view value, std::optional<u32>& count) {
  u32 number = 0;
  TRY(set_option_number(key, value, number));
  count = number;
  return {};
}

Result<void> set_bytes(std::string_view value, std::optional<u64>& bytes) {
  bytes = TRY(parse_size(value));
  return {};
}

Result<void> set(std::string_view key, std::string_view value, LimitsConfig& limits) {
  if (key == "cpu") {
    limits.cpu = TRY(parse_cpus(value));
    return {};
  }
  if (key == "cpu_weight") return set_count(key, value, limits.cpu_weight);
  if (key == "memory") return set_bytes(value, limits.memory_bytes);
  if (key == "pids") return set_count(key, value, limits.pids);
  if (key == "read_bandwidth") return set_bytes(value, limits.read_bandwidth);
  if (key == "write_bandwidth") return set_bytes(value, limits.write_bandwidth);
  if (key == "read_operations") return set_count(key, value, limits.read_operations);
  if (key == "write_operations") return set_count(key, value, limits.write_operations);
  if (key == "parent") {
    limits.parent = value;
    return {};
  }
  if (key == "group") {
    limits.group = value;
    return {};
  }
  return Error::config("unknown key '" + std::string(key) + "'" + did_you_mean(key, kKeys) +
                       " -- the keys are those of [limits]: cpu, cpu_weight, memory, pids, "
                       "read_bandwidth, write_bandwidth, read_operations, write_operations, parent "
                       "and group");
}

/// All of `text`, which is digits, as a number; nothing for anything else.
std::optional<u32> digits(std::string_view text) {
  u32 number = 0;
  const char* const end = text.data() + text.size();
  if (text.size() > kMostDigits) return std::nullopt;
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && rest == end ? std::optional(number) : std::nullopt;
}

}  // namespace

Result<u32> parse_cpus(std::string_view text) {
  std::string_view decimals = text;
  const std::string_view whole = cut(decimals, '.');
  const bool has_point = whole.size() != text.size();
  const auto cpus = digits(whole);
  std::optional<u32> thousandths = 0;
  if (has_point) {
    std::string padded(decimals);
    if (decimals.size() < kDecimals) padded.append(kDecimals - decimals.size(), '0');
    const bool fits = !decimals.empty() && decimals.size() <= kDecimals;
    thousandths = fits ? digits(padded) : std::nullopt;
  }
  if (!cpus || !thousandths) {
    return refused_value("cpu", text, "a number of CPUs with up to three decimals, as in 1.5");
  }
  return *cpus * 1000 + *thousandths;
}

std::string print_cpus(u32 thousandths) {
  std::string text = format("%u.%03u", thousandths / 1000, thousandths % 1000);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

Result<void> parse_limit_option(std::string_view text, LimitsConfig& limits) {
  while (!text.empty()) {
    std::string_view value = cut(text, ',');
    const std::string_view key = cut(value, '=');
    TRY(set(key, value, limits));
  }
  return {};
}

}  // namespace mote
