// SPDX-License-Identifier: Apache-2.0
#include "core/rate_limiter.hpp"

#include <algorithm>
#include <cmath>

namespace mote {

u64 TokenBucket::wait_ns(u64 tokens, u64 now_ns) {
  if (last_ns_ != 0 && now_ns > last_ns_) {
    level_ = std::min(size_, level_ + static_cast<double>(now_ns - last_ns_) * per_ns_);
  }
  // Callers on several threads look at the clock before they wait for the lock.
  last_ns_ = std::max(last_ns_, now_ns);
  const double wanted = std::min(static_cast<double>(tokens), size_);
  if (burst_ + level_ >= wanted) return 0;
  return static_cast<u64>(std::ceil((wanted - burst_ - level_) / per_ns_)) + 1;
}

void TokenBucket::take(u64 tokens) {
  const double spent = std::min(static_cast<double>(tokens), burst_);
  burst_ -= spent;
  level_ -= static_cast<double>(tokens) - spent;
}

void RateLimiter::change(const RateChange& change) {
  const std::lock_guard guard(lock_);
  if (change.bytes) bytes_ = *change.bytes;
  if (change.operations) operations_ = *change.operations;
  limits_ = bytes_ || operations_;
}

u64 RateLimiter::admit(u64 bytes, u64 now_ns) {
  const std::lock_guard guard(lock_);
  u64 wait = 0;
  if (bytes_) wait = bytes_->wait_ns(bytes, now_ns);
  if (operations_) wait = std::max(wait, operations_->wait_ns(1, now_ns));
  if (wait != 0) return wait;
  if (bytes_) bytes_->take(bytes);
  if (operations_) operations_->take(1);
  return 0;
}

}  // namespace mote
