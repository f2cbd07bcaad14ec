// SPDX-License-Identifier: Apache-2.0
// Landlock: the kernel module by which a process gives up rights to files, networks and signals.
#pragma once

#include <span>

#include "core/fd.hpp"
#include "core/result.hpp"

namespace mote::jail {

/// A set of rules that allows nothing, of all that this kernel can deny: files by path, TCP, and
/// (Linux 6.12) abstract sockets and signals to others. Below `folders` files may be read, written
/// and made. Empty when the kernel has no Landlock, which is no Error: it is a second wall behind
/// the empty root.
Result<UniqueFd> make_landlock_ruleset(std::span<const int> folders);

/// Puts the calling thread, and those it makes, under `ruleset`. Nothing when it is empty.
Result<void> enter_landlock(const UniqueFd& ruleset);

}  // namespace mote::jail
