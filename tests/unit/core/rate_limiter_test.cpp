// SPDX-License-Identifier: Apache-2.0
// Token buckets with a clock of the test's own.
#include "core/rate_limiter.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

constexpr u64 kMs = 1'000'000;

TEST(TokenBucketTest, GivesItsSizeAndThenWhatComesBack) {
  TokenBucket bucket(100, 1000 * kMs, 0);
  EXPECT_EQ(bucket.wait_ns(100, kMs), 0u);
  bucket.take(100);
  const u64 wait = bucket.wait_ns(10, kMs);
  EXPECT_GE(wait, 100 * kMs);
  EXPECT_LE(wait, 101 * kMs);
  EXPECT_EQ(bucket.wait_ns(10, kMs + wait), 0u);
}

TEST(TokenBucketTest, NeverHoldsMoreThanItsSize) {
  TokenBucket bucket(10, 10 * kMs, 0);
  EXPECT_EQ(bucket.wait_ns(10, kMs), 0u);
  EXPECT_EQ(bucket.wait_ns(10, 10'000 * kMs), 0u);
  bucket.take(10);
  EXPECT_NE(bucket.wait_ns(1, 10'000 * kMs), 0u);
}

TEST(TokenBucketTest, ABurstIsSpentFirstAndNeverComesBack) {
  TokenBucket bucket(10, 10 * kMs, 30);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(bucket.wait_ns(10, kMs), 0u);
    bucket.take(10);
  }
  EXPECT_NE(bucket.wait_ns(10, kMs), 0u);
  EXPECT_EQ(bucket.wait_ns(10, 12 * kMs), 0u);
  bucket.take(10);
  EXPECT_NE(bucket.wait_ns(10, 12 * kMs), 0u);
}

TEST(TokenBucketTest, WhatIsLargerThanTheBucketGoesWhenItIsFullAndIsPaidLater) {
  TokenBucket bucket(10, 10 * kMs, 0);
  EXPECT_EQ(bucket.wait_ns(40, kMs), 0u);
  bucket.take(40);
  const u64 wait = bucket.wait_ns(1, kMs);
  EXPECT_GE(wait, 30 * kMs);
  EXPECT_LE(wait, 32 * kMs);
}

TEST(RateLimiterTest, TheScarcerOfTheTwoDecidesAndARefusalCostsNothing) {
  RateLimiter limiter;
  EXPECT_FALSE(limiter.limits());
  EXPECT_EQ(limiter.admit(1 << 30, kMs), 0u);
  limiter.change(
      {.bytes = TokenBucket(1000, 10 * kMs, 0), .operations = TokenBucket(2, 10 * kMs, 0)});
  EXPECT_TRUE(limiter.limits());
  EXPECT_EQ(limiter.admit(1000, kMs), 0u);
  EXPECT_NE(limiter.admit(1000, kMs), 0u) << "no bytes left";
  EXPECT_EQ(limiter.admit(0, kMs), 0u) << "the refused one took no operation";
  EXPECT_NE(limiter.admit(0, kMs), 0u) << "no operations left";
}

TEST(RateLimiterTest, AChangeReplacesWhatItNamesAndLeavesTheRest) {
  RateLimiter limiter;
  limiter.change({.bytes = TokenBucket(1000, 10 * kMs, 0), .operations = {}});
  EXPECT_EQ(limiter.admit(1000, kMs), 0u);
  limiter.change({.bytes = {}, .operations = TokenBucket(2, 10 * kMs, 0)});
  EXPECT_NE(limiter.admit(1000, kMs), 0u) << "the bytes' bucket is as empty as before";
  limiter.change({.bytes = TokenBucket(500, 10 * kMs, 0), .operations = {}});
  EXPECT_EQ(limiter.admit(500, kMs), 0u) << "a new one is full";
  limiter.change({.bytes = std::optional<TokenBucket>(), .operations = {}});
  EXPECT_EQ(limiter.admit(1000, kMs), 0u) << "bytes are not limited";
  EXPECT_NE(limiter.admit(1000, kMs), 0u) << "operations are";
  EXPECT_TRUE(limiter.limits());
  limiter.change({.bytes = {}, .operations = std::optional<TokenBucket>()});
  EXPECT_FALSE(limiter.limits());
}

}  // namespace
}  // namespace mote
