// SPDX-License-Identifier: Apache-2.0
// Metrics for whoever reads a file or FIFO: a line of JSON each time that somebody asks for one.
#pragma once

#include <string>

#include "core/line_file.hpp"
#include "core/metrics.hpp"
#include "core/result.hpp"

namespace mote {

/// One thread at a time.
class MetricsWriter {
 public:
  /// `members` are members of each line's object as JSON, or empty.
  static Result<MetricsWriter> open(const std::string& path, std::string members);

  /// Writes what `collect(sink)` shows; false when the line was lost. A line that is lost takes
  /// nothing with it: its counts are in the next one.
  template <class Collect>
  bool write(Collect collect) {
    MetricsLine::Shown shown = shown_;
    MetricsLine line(shown);
    collect(line);
    line.gauge("logger", {}, "missed_metrics_count", file_.lost());
    if (!put(line)) return false;
    shown_ = std::move(shown);
    return true;
  }

 private:
  MetricsWriter(LineFile file, std::string members)
      : file_(std::move(file)), members_(std::move(members)) {}
  bool put(MetricsLine& line);

  LineFile file_;
  std::string members_;
  MetricsLine::Shown shown_;
};

}  // namespace mote
