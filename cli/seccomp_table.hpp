// SPDX-License-Identifier: Apache-2.0
// `mote seccomp print`: the table of system calls in words. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/thread_role.hpp"

namespace mote {

/// The role called `name`; an Error names those that there are.
Result<ThreadRole> parse_role(std::string_view name);

/// For people: every row that applies to one of `roles` (role, call, arguments, reason), then how
/// many distinct calls each may make.
std::string seccomp_table(std::span<const ThreadRole> roles);
/// The same as JSON.
std::string seccomp_json(std::span<const ThreadRole> roles);

}  // namespace mote
