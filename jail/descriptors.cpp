// SPDX-License-Identifier: Apache-2.0
#include "jail/descriptors.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace mote::jail {
Result<void> close_descriptors_except(std::vector<int> kept) {
  kept.push_back(STDERR_FILENO);
  std::sort(kept.begin(), kept.end());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const bool is_last = i + 1 == kept.size();
    const unsigned first = static_cast<unsigned>(kept[i]) + 1;
    const unsigned end =
        is_last ? std::numeric_limits<unsigned>::max() : static_cast<unsigned>(kept[i + 1]);
    if (first >= end) continue;
    if (::close_range(first, is_last ? end : end - 1, 0) != 0) {
      return Error::from_errno(errno, "cannot close inherited descriptors",
                               "it takes Linux 5.9; or do without: --no-sandbox");
    }
  }
  return {};
}

}  // namespace mote::jail
