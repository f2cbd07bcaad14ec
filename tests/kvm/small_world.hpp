// SPDX-License-Identifier: Apache-2.0
// A small world in which everything can be counted: a user namespace that has no more of other
// namespaces than it needs, and in it a process that is everybody's ancestor.
#pragma once

#include <string>

namespace mote::test {

/// Somebody to be in there.
enum class Who { kRoot, kOrdinaryUser };
inline constexpr unsigned kOrdinaryUser = 4321;

/// What `body` returns when it is run by the first process of a new PID namespace, with mounts,
/// network and users of its own; empty text stands for success. `folder` is the working directory
/// then, empty but for copies of the files `programs`, and everybody may open /dev/kvm. Needs root.
std::string in_small_world(const char* const (&programs)[2], std::string (*body)());

inline constexpr const char* kNamespaceKinds[] = {"cgroup", "ipc",  "mnt", "net",
                                                  "pid",    "user", "uts"};
/// In there: lets the world have so many namespaces of one kind, or of each.
bool limit_namespaces(const char* kind, int count);
bool limit_namespaces(int count);
/// In there: the processes beside this one.
int other_processes();
/// In there: lines of /proc/self/mountinfo.
int mounts();
/// Descriptors of this process.
int descriptors();

}  // namespace mote::test
