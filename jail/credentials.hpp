// SPDX-License-Identifier: Apache-2.0
// Who a thread of the VM is to the kernel: user, groups, capabilities. The kernel keeps them per
// thread.
#pragma once

#include <sys/types.h>

#include <optional>

#include "core/result.hpp"
#include "core/types.hpp"

namespace mote::jail {

/// A user and a group.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
};

/// The first of the users that VMs get when none is named, one for each process number; the range,
/// 1879048192 and up, is one that distributions leave free.
inline constexpr uid_t kFirstVmUser = 0x70000000;

/// Empties the bounding set and locks the calling thread's securebits, so that no later step gives
/// a capability back. Those that it has remain, for the steps that need them.
Result<void> bound_capabilities();

/// Makes the calling thread `identity`, without further groups, when one is given; then gives up
/// all capabilities but `kept` (a mask).
Result<void> drop_privileges(const std::optional<Identity>& identity, u64 kept = 0);

}  // namespace mote::jail
