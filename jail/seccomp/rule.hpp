// SPDX-License-Identifier: Apache-2.0
// A row of the table of system calls, and what it means. Data alone: the generator of the filters,
// `mote seccomp print` and the tests read the same rows.
#pragma once

#include <array>
#include <span>

#include "core/thread_role.hpp"
#include "core/types.hpp"

namespace mote::jail {

/// (argument & mask) == value, of the argument's lower 32 bits.
///
/// WHY 32: these arguments are ints to the kernel, which drops the upper half of the register. A
/// comparison of all 64 bits would depend on what a compiler left there.
struct Condition {
  u8 argument;  ///< 0 to 5
  u32 mask;
  u32 value;
  const char* text;  ///< for people: "request is KVM_RUN"
};

/// Roles as a set.
using RoleSet = u32;
constexpr RoleSet roles(auto... role) {
  return ((1U << static_cast<u32>(role)) | ...);
}

/// What a filter does with a call that the row describes.
enum class Verdict {
  kAllow,
  kNoSuchCall,  ///< fails with ENOSYS, for callers that then take another way
};

/// One way in which roles may make one system call. Several rows may speak of the same call.
struct Rule {
  static constexpr std::size_t kMaxConditions = 2;

  RoleSet roles;
  int number;
  const char* name;
  std::array<Condition, kMaxConditions> conditions;  ///< all must hold
  u8 condition_count;
  const char* reason;
  Verdict verdict = Verdict::kAllow;

  constexpr std::span<const Condition> when() const { return {conditions.data(), condition_count}; }
  /// The threads that run a machine come from the start role and keep its filter, so it has to
  /// allow what theirs do. The API's thread is under no other filter, and the supervisor is a
  /// process of its own.
  constexpr bool applies_to(ThreadRole role) const {
    constexpr RoleSet kChildrenOfStart = jail::roles(ThreadRole::kVcpu, ThreadRole::kVcpuVfio,
                                                     ThreadRole::kUnplug, ThreadRole::kLoop);
    if (role == ThreadRole::kStart && (roles & kChildrenOfStart) != 0) return true;
    return (roles & jail::roles(role)) != 0;
  }
};

/// "start", "vcpu", "vcpu_vfio", "unplug", "loop", "api", "supervisor".
constexpr const char* role_name(ThreadRole role) {
  switch (role) {
    case ThreadRole::kStart:
      return "start";
    case ThreadRole::kVcpu:
      return "vcpu";
    case ThreadRole::kVcpuVfio:
      return "vcpu_vfio";
    case ThreadRole::kUnplug:
      return "unplug";
    case ThreadRole::kLoop:
      return "loop";
    case ThreadRole::kApi:
      return "api";
    case ThreadRole::kSupervisor:
      return "supervisor";
  }
  return "?";
}

}  // namespace mote::jail
