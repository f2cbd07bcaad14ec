// SPDX-License-Identifier: Apache-2.0
// Where the boot timeline goes at the end of a run: standard error, a file, both or nowhere.
#pragma once

#include <string>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/machine/timeline.hpp"

namespace mote {

/// Opened at the start of a run, because nothing can be opened later.
class TimelineReport {
 public:
  static Result<TimelineReport> open(const TimelineConfig& config);
  Result<void> write(const Timeline& timeline) const;

 private:
  TimelineReport() = default;

  bool table_ = false;
  std::string path_;
  UniqueFd file_;
};

}  // namespace mote
