// SPDX-License-Identifier: Apache-2.0
// Rate limiting by token buckets: so much per time, and a burst once.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "core/types.hpp"

namespace mote {

/// Holds up to `size` tokens and gets them back evenly, all of them within `refill_ns`. `burst`
/// more are there at the start and never come back; they are spent first. Pure: time is passed in.
class TokenBucket {
 public:
  /// Precondition: `size` and `refill_ns` are above 0.
  TokenBucket(u64 size, u64 refill_ns, u64 burst)
      : size_(static_cast<double>(size)),
        per_ns_(static_cast<double>(size) / static_cast<double>(refill_ns)),
        level_(static_cast<double>(size)),
        burst_(static_cast<double>(burst)) {}

  /// 0 when `tokens` may be taken at `now_ns`, else how many nanoseconds to wait. What asks for
  /// more than fits may go when the bucket is full, and leaves a debt.
  u64 wait_ns(u64 tokens, u64 now_ns);
  /// Takes them.
  void take(u64 tokens);

 private:
  double size_;
  double per_ns_;
  double level_;
  double burst_;
  u64 last_ns_ = 0;
};

/// New limits in the place of old ones. What is absent stays as it is; what holds no bucket is
/// limited no more.
struct RateChange {
  std::optional<std::optional<TokenBucket>> bytes;
  std::optional<std::optional<TokenBucket>> operations;
};

/// Bytes and operations of one device, without limits at first. Any thread.
class RateLimiter {
 public:
  /// Who has been told to wait may ask again at once.
  void change(const RateChange& change);

  /// Admits one operation of `bytes` bytes (0), or says how many nanoseconds to wait before it is
  /// worth asking again.
  u64 admit(u64 bytes, u64 now_ns);
  /// Whether there is any limit.
  bool limits() const { return limits_.load(std::memory_order_relaxed); }

 private:
  std::mutex lock_;
  std::optional<TokenBucket> bytes_;
  std::optional<TokenBucket> operations_;
  std::atomic<bool> limits_{false};
};

}  // namespace mote
