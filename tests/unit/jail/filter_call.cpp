// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/jail/filter_call.hpp"

#include "jail/seccomp/table.hpp"

namespace mote::test {
namespace {

/// No descriptor, no address, no flags that any call knows.
constexpr u64 kUseless = ~u64{0};

bool holds(const jail::Condition& condition, const Call& call) {
  return (static_cast<u32>(call.arguments[condition.argument]) & condition.mask) == condition.value;
}

}  // namespace

std::vector<jail::Rule> rules_of(ThreadRole role) {
  std::vector<jail::Rule> rules;
  for (const jail::Rule& rule : jail::kSeccompTable) {
    if (rule.applies_to(role)) rules.push_back(rule);
  }
  return rules;
}

const jail::Rule* find_rule(const std::vector<jail::Rule>& rules, const Call& call) {
  for (const jail::Rule& rule : rules) {
    if (rule.number != call.number) continue;
    bool all = true;
    for (const jail::Condition& condition : rule.when()) all = all && holds(condition, call);
    if (all) return &rule;
  }
  return nullptr;
}

Call call_of(const jail::Rule& rule) {
  Call call{.number = rule.number};
  call.arguments.fill(kUseless);
  for (const jail::Condition& condition : rule.when()) {
    u64& argument = call.arguments[condition.argument];
    argument = (argument & ~u64{condition.mask}) | condition.value;
    // The kernel does not look at the upper half, and no more does a filter.
    if (condition.mask == ~u32{0}) argument = condition.value;
  }
  return call;
}

std::vector<Call> calls_beside(const jail::Rule& rule, const std::vector<jail::Rule>& rules) {
  std::vector<Call> calls;
  for (const jail::Condition& condition : rule.when()) {
    for (u32 bit = 1; bit != 0; bit <<= 1) {
      if ((condition.mask & bit) == 0) continue;
      Call call = call_of(rule);
      call.arguments[condition.argument] ^= bit;
      if (find_rule(rules, call) != nullptr) continue;
      calls.push_back(call);
      break;
    }
  }
  return calls;
}

std::string describe(ThreadRole role, const jail::Rule& rule) {
  std::string text = std::string(jail::role_name(role)) + ": " + rule.name;
  for (const jail::Condition& condition : rule.when()) text += std::string(", ") + condition.text;
  return text;
}

}  // namespace mote::test
