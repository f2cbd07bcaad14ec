// SPDX-License-Identifier: Apache-2.0
#include "core/metrics_writer.hpp"

#include <ctime>

namespace mote {

Result<MetricsWriter> MetricsWriter::open(const std::string& path, std::string members) {
  return MetricsWriter(TRY(LineFile::open(path)), std::move(members));
}

bool MetricsWriter::put(MetricsLine& line) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const u64 now_ms =
      static_cast<u64>(now.tv_sec) * 1000 + static_cast<u64>(now.tv_nsec) / 1'000'000;
  return file_.write(line.take(now_ms, members_));
}

}  // namespace mote
