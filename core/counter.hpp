// SPDX-License-Identifier: Apache-2.0
// A number that only grows, for metrics.
#pragma once

#include <atomic>

#include "core/types.hpp"

namespace mote {

/// One thread adds, any thread reads. With one writer no read-modify-write is needed: adding is a
/// load and a store.
class Counter {
 public:
  void add(u64 count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  u64 value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<u64> value_{0};
};

}  // namespace mote
