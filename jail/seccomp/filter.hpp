// SPDX-License-Identifier: Apache-2.0
// The compiled filters, and how a thread comes under one.
#pragma once

#include <linux/filter.h>

#include <span>

#include "core/result.hpp"
#include "core/thread_role.hpp"

namespace mote::jail {

/// The program that the build made from the table's rows for `role`.
std::span<const sock_filter> filter_for(ThreadRole role);
/// The name of a system call of x86-64; null when it has none that the build knew.
const char* call_name(int number);
/// How many numbers `call_name` was made from.
int known_calls();

/// Puts the calling thread under `program`, above those that it is under already. It needs
/// no_new_privs, or CAP_SYS_ADMIN.
Result<void> load_filter(std::span<const sock_filter> program);

}  // namespace mote::jail
