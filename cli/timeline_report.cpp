// SPDX-License-Identifier: Apache-2.0
#include "cli/timeline_report.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

namespace mote {

Result<TimelineReport> TimelineReport::open(const TimelineConfig& config) {
  TimelineReport report;
  report.table_ = config.table;
  report.path_ = config.json_path;
  if (config.json_path.empty()) return report;
  report.file_ = TRY(
      open_file(config.json_path, O_WRONLY | O_CREAT | O_TRUNC, "the timeline goes there", 0644));
  return report;
}

Result<void> TimelineReport::write(const Timeline& timeline) const {
  if (table_) std::fputs(timeline.table().c_str(), stderr);
  if (!file_) return {};
  const std::string trace = timeline.chrome_trace();
  std::string_view text = trace;
  while (!text.empty()) {
    const ssize_t written = ::write(file_.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Error::from_errno(errno, "cannot write '" + path_ + "'");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace mote
