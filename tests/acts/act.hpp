// SPDX-License-Identifier: Apache-2.0
// What a guest that has broken out of its machine might try, as a table: acts by name, and what is
// to stop each of them. The program that does them and the test that judges read the same rows.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/thread_role.hpp"
#include "core/types.hpp"
#include "jail/seccomp/rule.hpp"

namespace mote::acts {

/// What there is to be reached by somebody who is not confined; the test that makes it names it in
/// the environment, as `read_target` reads it.
struct Target {
  pid_t process;       ///< of the user that the VM runs as
  u64 address;         ///< of eight bytes in it
  u16 port;            ///< of 127.0.0.1 where somebody listens, by TCP and UDP
  std::string socket;  ///< where somebody listens by AF_UNIX: its name without a path
  /// Has "disk", "socket" and the folders "work", which is the working directory, with "expendable"
  /// and "empty"; and "shown", which a VM may be given.
  std::string folder;
  key_t memory;  ///< of shared memory
};
inline constexpr char kTargetVariable[] = "MOTE_ACT_TARGET";
std::string write_target(const Target& target);
Target read_target();

/// What stops an act if the filter of system calls does not.
enum class Wall {
  kRoot,         ///< the empty root: no path leads anywhere, and nothing can be written
  kNamespaces,   ///< the other process, network or memory is not there
  kPrivileges,   ///< no capabilities, another user
  kDescriptors,  ///< there is none by which it could be done
  kRing,         ///< the ring takes no other orders than it was restricted to
  kLandlock,     ///< Landlock, where the host has it, in folders that the VM was given
  kFilterAlone,  ///< nothing: what it gives harms the host little, or is its administrator's choice
};

struct Act {
  std::string_view name;
  /// The system call that is forbidden, or those of which one is.
  std::string_view calls;
  Wall wall;
  /// The call's answer, as syscall(2) gives it: -1 and errno, or a success.
  long (*run)(const Target& target);
  /// Roles whose filters let all the calls of the act pass, so that the wall has to hold; or have
  /// one of them fail.
  jail::RoleSet passes = 0;
  /// Roles that come before the wall: only the filter stops them.
  jail::RoleSet before_wall = 0;
  /// Root is refused as well, but differently: for the sake of the host, or by some hosts.
  bool refused_anyway = false;
  /// Roles that do this for a living, in folders that the VM was given.
  jail::RoleSet given_to = 0;
};

// By idea.
std::span<const Act> file_acts();
std::span<const Act> network_acts();
std::span<const Act> process_acts();
std::span<const Act> program_acts();
std::span<const Act> mount_acts();
std::span<const Act> privilege_acts();
std::span<const Act> kernel_acts();
std::span<const Act> memory_acts();
std::span<const Act> descriptor_acts();

std::vector<const Act*> all_acts();
/// The act of this name; null when there is none.
const Act* find_act(std::string_view name);

/// Does the act and says on standard error what came of it: "act: host_file: -1 ENOENT".
void perform(const Act& act, const Target& target);

/// A system call's answer, whose arguments are of any type.
long call(long number, auto... arguments) {
  return ::syscall(number, arguments...);
}

}  // namespace mote::acts
