// SPDX-License-Identifier: Apache-2.0
// System calls made up from the table of filters: some that a row allows, some that no row does.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "jail/seccomp/rule.hpp"

namespace mote::test {

/// A system call that could be made.
struct Call {
  int number = 0;
  std::array<u64, 6> arguments{};
};

/// The rows that apply to `role`.
std::vector<jail::Rule> rules_of(ThreadRole role);
/// What the table says of a call: the rows of `role`, read without any filter. Null: nothing.
const jail::Rule* find_rule(const std::vector<jail::Rule>& rules, const Call& call);

/// A call that `rule` describes. Arguments that it says nothing of are what no call can use, so
/// that making it does no harm.
Call call_of(const jail::Rule& rule);
/// Calls that differ from that in one condition each, and that no rule describes. One for each
/// condition that it can be done for.
std::vector<Call> calls_beside(const jail::Rule& rule, const std::vector<jail::Rule>& rules);

/// "vcpu: ioctl, request is KVM_RUN".
std::string describe(ThreadRole role, const jail::Rule& rule);

}  // namespace mote::test
