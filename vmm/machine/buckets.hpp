// SPDX-License-Identifier: Apache-2.0
// From a limit in the configuration to the bucket that keeps it.
#pragma once

#include <optional>

#include "core/rate_limiter.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

inline std::optional<TokenBucket> token_bucket(const std::optional<RateLimit>& limit) {
  if (!limit) return std::nullopt;
  return TokenBucket(limit->size, u64{limit->refill_ms} * 1'000'000, limit->burst);
}

}  // namespace mote
