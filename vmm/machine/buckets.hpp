// SPDX-License-Identifier: Apache-2.0
// From limits in the configuration, and changes of them, to the buckets that keep them.
#pragma once

#include <optional>

#include "core/rate_limiter.hpp"
#include "vmm/config/resources.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

inline std::optional<TokenBucket> token_bucket(const std::optional<RateLimit>& limit) {
  if (!limit) return std::nullopt;
  return TokenBucket(limit->size, u64{limit->refill_ms} * 1'000'000, limit->burst);
}

inline RateChange rate_change(const RateUpdate& update) {
  RateChange change;
  if (update.bandwidth) change.bytes = token_bucket(*update.bandwidth);
  if (update.operations) change.operations = token_bucket(*update.operations);
  return change;
}

}  // namespace mote
