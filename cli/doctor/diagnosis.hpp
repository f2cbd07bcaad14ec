// SPDX-License-Identifier: Apache-2.0
// What `mote doctor` found, and how it is shown. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/types.hpp"

namespace mote {

/// What a finding means for running a VM.
enum class Mark : u8 {
  kOk,       ///< there
  kMissing,  ///< missing, and Mote runs without it; the detail says what does not work then
  kFatal,    ///< missing, and Mote cannot run
};

/// One thing that a host offers or lacks.
struct Finding {
  std::string group;  ///< "KVM"
  std::string name;   ///< "split irqchip"
  Mark mark = Mark::kOk;
  std::string detail;  ///< what was found, or why it is missing
  std::string remedy;  ///< what to do; empty when nothing is or nothing helps
};

/// All findings, groups together, in the order of the tables.
struct Diagnosis {
  std::vector<Finding> findings;
  /// How code of guest ring 0 runs: "native", "emulated", or "unknown" when that was not found out.
  std::string guest_ring0 = "unknown";

  /// True when nothing that Mote cannot do without is missing.
  bool can_run() const;
};

/// For people: groups, one line per finding with [ok], [--] or [!!], remedies below, a verdict.
std::string diagnosis_table(const Diagnosis& diagnosis);

/// For machines: {"can_run": bool, "guest_ring0": string, "findings": [{"group", "name", "status",
/// "detail", "remedy"}]}, status being "ok", "missing" or "fatal".
std::string diagnosis_json(const Diagnosis& diagnosis);

}  // namespace mote
