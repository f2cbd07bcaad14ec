// SPDX-License-Identifier: Apache-2.0
#include "cli/seccomp_table.hpp"

#include <algorithm>
#include <vector>

#include "core/json/writer.hpp"
#include "core/text.hpp"
#include "jail/seccomp/table.hpp"
#include "vmm/config/nearest.hpp"

namespace mote {
namespace {

using jail::Rule;

/// Those of `roles` that the row applies to, each after a separator but the first.
std::string roles_of(const Rule& row, std::span<const ThreadRole> roles, const char* separator,
                     const char* quotation_mark = "") {
  std::string names;
  for (const ThreadRole role : roles) {
    if (!row.applies_to(role)) continue;
    if (!names.empty()) names += separator;
    names += std::string(quotation_mark) + jail::role_name(role) + quotation_mark;
  }
  return names;
}

std::string condition(const Rule& row) {
  std::string text;
  for (const jail::Condition& each : row.when()) {
    if (!text.empty()) text += ", ";
    text += each.text;
  }
  if (row.verdict == jail::Verdict::kNoSuchCall) return "fails with ENOSYS";
  return text.empty() ? "any arguments" : text;
}

/// One line of the table for people.
struct Line {
  std::string roles;
  std::string call;
  std::string when;
  std::string why;
};

std::vector<Line> lines(std::span<const ThreadRole> roles) {
  std::vector<Line> lines = {{"ROLES", "CALL", "WHEN", "WHY"}};
  for (const Rule& row : jail::kSeccompTable) {
    std::string names = roles_of(row, roles, " ");
    if (!names.empty()) lines.push_back({std::move(names), row.name, condition(row), row.reason});
  }
  return lines;
}

}  // namespace

Result<ThreadRole> parse_role(std::string_view name) {
  std::vector<std::string_view> known;
  for (const ThreadRole role : kThreadRoles) {
    if (name == jail::role_name(role)) return role;
    known.emplace_back(jail::role_name(role));
  }
  std::string choices;
  for (const std::string_view each : known) {
    choices += (choices.empty() ? "" : ", ") + std::string(each);
  }
  return Error::config("'" + std::string(name) + "' is no role" + did_you_mean(name, known) +
                       " -- choose one of " + choices);
}

std::string seccomp_table(std::span<const ThreadRole> roles) {
  const std::vector<Line> table = lines(roles);
  const auto width = [&table](std::string Line::* column) {
    std::size_t widest = 0;
    for (const Line& line : table) widest = std::max(widest, (line.*column).size());
    return static_cast<int>(widest);
  };
  const int roles_width = width(&Line::roles);
  const int call_width = width(&Line::call);
  const int when_width = width(&Line::when);
  std::string text;
  for (const Line& line : table) {
    text += format("%-*s  %-*s  %-*s  %s\n", roles_width, line.roles.c_str(), call_width,
                   line.call.c_str(), when_width, line.when.c_str(), line.why.c_str());
  }
  text += "\nDistinct calls:";
  const char* separator = " ";
  for (const ThreadRole role : roles) {
    text += format("%s%s %u", separator, jail::role_name(role), jail::count_calls(role));
    separator = ", ";
  }
  return text + ". All others end the VM.\n";
}

std::string seccomp_json(std::span<const ThreadRole> roles) {
  std::string text = "{\"calls\": {";
  const char* separator = "";
  for (const ThreadRole role : roles) {
    text += format("%s\"%s\": %u", separator, jail::role_name(role), jail::count_calls(role));
    separator = ", ";
  }
  text += "}, \"rules\": [";
  separator = "\n";
  for (const Rule& row : jail::kSeccompTable) {
    const std::string names = roles_of(row, roles, ", ", "\"");
    if (names.empty()) continue;
    text += format("%s  {\"roles\": [%s], \"call\": %s, \"number\": %d, \"allowed\": %s, ",
                   separator, names.c_str(), json::quoted(row.name).c_str(), row.number,
                   row.verdict == jail::Verdict::kAllow ? "true" : "false");
    text += "\"arguments\": [";
    const char* comma = "";
    for (const jail::Condition& each : row.when()) {
      text += format("%s{\"index\": %u, \"mask\": %u, \"value\": %u, \"text\": %s}", comma,
                     each.argument, each.mask, each.value, json::quoted(each.text).c_str());
      comma = ", ";
    }
    text += "], \"reason\": " + json::quoted(row.reason) + "}";
    separator = ",\n";
  }
  return text + "\n]}\n";
}

}  // namespace mote
