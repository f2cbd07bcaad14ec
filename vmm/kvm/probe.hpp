// SPDX-License-Identifier: Apache-2.0
// What KVM offers on this host, found by asking it and by running a few instructions. Nothing of it
// stays behind. One thread; not while a VM runs in this process.
#pragma once

#include <string>
#include <vector>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote::kvm {

/// A capability as KVM_CHECK_EXTENSION answers it.
struct Capability {
  const char* name;     ///< in the kernel's headers, without KVM_CAP_
  const char* purpose;  ///< what Mote does with it
  bool required;        ///< Mote cannot run without
  bool counts;          ///< its value is how many there are
  int value;            ///< 0: missing
};

/// Every capability that Mote makes use of, required ones first.
std::vector<Capability> probe_capabilities(const UniqueFd& system);

/// The version that /dev/kvm speaks; negative when it is no KVM device.
int probe_api_version(const UniqueFd& system);

enum class Ring0 : u8 {
  kNative,    ///< the processor runs it: any guest runs
  kEmulated,  ///< KVM's instruction emulator runs it: slow, and it lacks instructions
  kUnknown,   ///< the probe's guest did something unexpected; see `problem`
};

/// How code of guest ring 0 runs.
struct Ring0State {
  Ring0 kind = Ring0::kUnknown;
  double ns_per_instruction = 0;      ///< of a loop of plain instructions
  bool has_all_instructions = false;  ///< POPCNT ran, which KVM's emulator lacks
  std::string problem;                ///< for kUnknown
};

/// Boots a guest of a few instructions in 64-bit ring 0 and measures it. Takes some 40 ms where
/// ring 0 is emulated, else 2 ms; gives up after half a second.
Ring0State probe_ring0(const UniqueFd& system);

}  // namespace mote::kvm
