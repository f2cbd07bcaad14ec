// SPDX-License-Identifier: Apache-2.0
// How a TOML value becomes a field of VmConfig. Each `set_` returns what is wrong with the value
// ("must be ..."), or nothing. Only toml_reader.cpp includes this, since the library is heavy.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text.hpp"
#include "vmm/config/nearest.hpp"
#include "vmm/config/size.hpp"
#include "vmm/config/toml_library.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote::toml_values {

inline constexpr std::size_t kLongestQuote = 64;

/// What a value is, in the words of a message.
inline const char* type_name(const toml::node& value) {
  switch (value.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a floating-point number";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

inline std::string wrong_type(const char* expected, const toml::node& value) {
  return format("must be %s, not %s", expected, type_name(value));
}

inline std::string quoted(std::string_view text) {
  return "'" + std::string(text.substr(0, kLongestQuote)) + "'";
}

inline std::string set_text(const toml::node& value, std::string& text) {
  const auto* string = value.as_string();
  if (string == nullptr) return wrong_type("a string", value);
  if (string->get().find('\0') != std::string::npos) return "must not contain a NUL character";
  text = string->get();
  return {};
}

inline std::string set_path(const toml::node& value, std::string_view directory,
                            std::string& path) {
  std::string problem = set_text(value, path);
  if (problem.empty() && !path.empty() && path.front() != '/') path.insert(0, directory);
  return problem;
}

inline std::string set_flag(const toml::node& value, bool& flag) {
  const auto* boolean = value.as_boolean();
  if (boolean == nullptr) return wrong_type("true or false", value);
  flag = boolean->get();
  return {};
}

/// A whole number from `least` to `most`.
template <class T>
std::string set_number(const toml::node& value, i64 least, i64 most, T& number) {
  const std::string expected = format("a whole number from %lld to %lld",
                                      static_cast<long long>(least), static_cast<long long>(most));
  const auto* integer = value.as_integer();
  if (integer == nullptr) return wrong_type(expected.c_str(), value);
  if (integer->get() < least || integer->get() > most) {
    return format("must be %s, not %lld", expected.c_str(), static_cast<long long>(integer->get()));
  }
  number = static_cast<T>(integer->get());
  return {};
}

template <class T>
std::string set_number(const toml::node& value, i64 least, i64 most, std::optional<T>& number) {
  return set_number(value, least, most, number.emplace());
}

inline std::string set_cpus(const toml::node& value, std::optional<u32>& thousandths) {
  constexpr double kLeast = kMinCpuLimit / 1000.0;
  constexpr double kMost = kMaxCpuLimit / 1000.0;
  const auto cpus = value.is_number() ? value.value<double>() : std::nullopt;
  if (!cpus) return wrong_type("a number of CPUs, as in 1.5", value);
  if (!(*cpus >= kLeast && *cpus <= kMost)) {
    return format("must be a number of CPUs from %g to %g, not %g", kLeast, kMost, *cpus);
  }
  thousandths = static_cast<u32>(std::lround(*cpus * 1000));
  return {};
}

inline std::string set_memory(const toml::node& value, u64& bytes) {
  const auto* string = value.as_string();
  if (string == nullptr) return wrong_type("a string with a unit, as in \"128MiB\"", value);
  const auto size = parse_size(string->get());
  if (!size) return "is wrong: " + size.error().message();
  bytes = *size;
  return {};
}

inline std::string set_size(const toml::node& value, std::optional<u64>& bytes) {
  return set_memory(value, bytes.emplace());
}

inline std::string set_mac(const toml::node& value, std::optional<MacAddress>& mac) {
  const auto* string = value.as_string();
  if (string == nullptr) return wrong_type("a string, as in \"02:00:5e:00:53:01\"", value);
  const auto read = parse_mac(string->get());
  if (!read) return "is wrong: " + read.error().message();
  mac = *read;
  return {};
}

inline std::string set_address(const toml::node& value, std::optional<PciAddress>& address) {
  const auto* string = value.as_string();
  if (string == nullptr) return wrong_type("a string, as in \"0000:01:10.0\"", value);
  const auto read = parse_pci_address(string->get());
  if (!read) return "is wrong: " + read.error().message();
  address = *read;
  return {};
}

/// Open descriptors, which are no place for the standard streams.
inline std::string set_fds(const toml::node& value, std::vector<int>& fds) {
  const auto* array = value.as_array();
  if (array == nullptr) return wrong_type("an array of descriptors, as in [5, 6]", value);
  for (const toml::node& element : *array) {
    int fd = 0;
    const std::string problem = set_number(element, 0, std::numeric_limits<int>::max(), fd);
    if (!problem.empty()) return "has an element that " + problem;
    fds.push_back(fd);
  }
  return {};
}

/// One of `names`, which stand for `values` in their order.
template <class T, std::size_t N>
std::string set_choice(const toml::node& value, const std::array<std::string_view, N>& names,
                       const std::array<T, N>& values, const char* expected, T& choice) {
  const auto* string = value.as_string();
  if (string == nullptr) return wrong_type(expected, value);
  const auto* const name = std::find(names.begin(), names.end(), string->get());
  if (name == names.end()) {
    return format("must be %s, not ", expected) + quoted(string->get()) +
           did_you_mean(string->get(), names);
  }
  choice = values[static_cast<std::size_t>(name - names.begin())];
  return {};
}

inline std::string set_mode(const toml::node& value, SerialMode& mode) {
  static constexpr std::array<std::string_view, 4> kNames = {"stdio", "file", "pty", "none"};
  static constexpr std::array kModes = {SerialMode::kStdio, SerialMode::kFile, SerialMode::kPty,
                                        SerialMode::kNone};
  return set_choice(value, kNames, kModes, "\"stdio\", \"file\", \"pty\" or \"none\"", mode);
}

inline std::string set_announce(const toml::node& value, Announce& announce) {
  static constexpr std::array<std::string_view, 3> kNames = {"auto", "cmdline", "acpi"};
  static constexpr std::array kWays = {Announce::kAuto, Announce::kCmdline, Announce::kAcpi};
  return set_choice(value, kNames, kWays, "\"auto\", \"cmdline\" or \"acpi\"", announce);
}

inline std::string set_transport(const toml::node& value, Transport& transport) {
  static constexpr std::array<std::string_view, 2> kNames = {"mmio", "pci"};
  static constexpr std::array kTransports = {Transport::kMmio, Transport::kPci};
  return set_choice(value, kNames, kTransports, "\"mmio\" or \"pci\"", transport);
}

inline std::string set_cache(const toml::node& value, BlockCache& cache) {
  static constexpr std::array<std::string_view, 3> kNames = {"writeback", "unsafe", "direct"};
  static constexpr std::array kModes = {BlockCache::kWriteback, BlockCache::kUnsafe,
                                        BlockCache::kDirect};
  return set_choice(value, kNames, kModes, "\"writeback\", \"unsafe\" or \"direct\"", cache);
}

/// `in_bytes`: size and burst are sizes ("10MiB"), else numbers.
inline std::string set_rate(const toml::node& value, bool in_bytes,
                            std::optional<RateLimit>& rate) {
  const auto* table = value.as_table();
  if (table == nullptr) return wrong_type("a table with size, refill_ms and burst", value);
  static constexpr std::array<std::string_view, 3> kNames = {"size", "refill_ms", "burst"};
  RateLimit limit;
  for (const auto& [key, part] : *table) {
    std::string problem;
    if (key.str() == "refill_ms") {
      problem = set_number(part, 1, 3'600'000, limit.refill_ms);
    } else if (key.str() == "size" || key.str() == "burst") {
      u64& amount = key.str() == "size" ? limit.size : limit.burst;
      problem = in_bytes ? set_memory(part, amount) : set_number(part, 0, i64{1} << 40, amount);
    } else {
      return "has an unknown key " + quoted(key.str()) + did_you_mean(key.str(), kNames);
    }
    if (!problem.empty()) return "has a " + quoted(key.str()) + " that " + problem;
  }
  if (limit.size == 0) return "needs a size above 0";
  rate = limit;
  return {};
}

}  // namespace mote::toml_values
