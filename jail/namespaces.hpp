// SPDX-License-Identifier: Apache-2.0
// Namespaces of a VM's own: what the process may see of other processes, mounts, networks and the
// rest.
#pragma once

#include "core/fd.hpp"
#include "core/result.hpp"

namespace mote::jail {

/// True when this process may make namespaces and change its user by itself: CAP_SYS_ADMIN,
/// CAP_SETUID and CAP_SETGID, in a user namespace that has all users. Others, root in a container
/// among them, do it from within a user namespace of their own.
bool is_privileged();

/// Puts the process, which has one thread, into a user namespace of its own in which it is the user
/// that it was, with every capability over what belongs to that namespace. Needs no privilege, but
/// a host that lets ordinary users do so.
Result<void> enter_user_namespace();

/// Children get process numbers of their own.
Result<void> leave_process_namespace();

/// Mounts, System V and POSIX IPC, host name, and control groups, whose root is the group that the
/// process is in. Before it has threads.
Result<void> leave_host_namespaces();

/// A network without interfaces for the calling thread. The dearest namespace: half a millisecond.
/// Returns an errno, 0 when it is done: the one who wants to know is another process.
int leave_network_namespace();

/// Moves the calling thread into the network namespace of the process that `pidfd` stands for.
Result<void> join_network_namespace(int pidfd);

}  // namespace mote::jail
