// SPDX-License-Identifier: Apache-2.0
// What a thread is there for, and the hook by which it gives up all that others need.
//
// Threads are made by vmm/ and confined by jail/, which do not know each other: who starts the
// machine hands it the hook.
#pragma once

#include "core/result.hpp"

namespace mote {

/// What a thread does from the moment it is sealed.
enum class ThreadRole {
  kStart,       ///< builds the machine: after Mote has locked itself in, before the guest runs
  kVcpu,        ///< runs a vCPU and serves its exits
  kVcpuVfio,    ///< the same, of a guest that has devices of the host
  kUnplug,      ///< takes devices of the host away from the guest
  kLoop,        ///< serves an event loop
  kApi,         ///< serves the API's socket
  kSupervisor,  ///< the parent process, which waits for the one that holds the machine
};
inline constexpr ThreadRole kThreadRoles[] = {
    ThreadRole::kStart, ThreadRole::kVcpu, ThreadRole::kVcpuVfio,  ThreadRole::kUnplug,
    ThreadRole::kLoop,  ThreadRole::kApi,  ThreadRole::kSupervisor};

/// Confines the calling thread, for good, to what `role` needs. A sealed thread can be sealed once
/// more, but only into a role that may do less. An Error: the thread must not go on. Null stands
/// for a machine that is not confined.
using ThreadSeal = Result<void> (*)(ThreadRole role);

/// The signal that makes a vCPU's thread look up: the first real-time signal that glibc leaves to
/// programs (SIGRTMIN, which is a call and no constant). Filters know it.
inline constexpr int kVcpuKickSignal = 34;

}  // namespace mote
