// SPDX-License-Identifier: Apache-2.0
// Who waits for queues gets on when they have come to rest, or when nobody waits any more.
#include "devices/virtio/drain.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace mote::virtio {
namespace {

TEST(DrainTest, NothingExpectedIsNoWait) {
  Drain drain;
  EXPECT_TRUE(drain.wait());
  drain.expect();
  drain.arrive();
  EXPECT_TRUE(drain.wait()) << "it came before";
}

TEST(DrainTest, WaitsForTheLast) {
  Drain drain;
  drain.expect();
  drain.expect();
  std::atomic<int> arrived{0};
  std::thread loop([&] {
    for (int i = 0; i < 2; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      ++arrived;
      drain.arrive();
    }
  });
  EXPECT_TRUE(drain.wait());
  EXPECT_EQ(arrived, 2);
  loop.join();
}

TEST(DrainTest, AWaitOfSomeTimeEndsWithIt) {
  Drain drain;
  drain.expect();
  EXPECT_FALSE(drain.wait_for(std::chrono::milliseconds(1)));
  drain.arrive();
  EXPECT_TRUE(drain.wait_for(std::chrono::milliseconds(1)));
  drain.expect();
  drain.abandon();
  EXPECT_FALSE(drain.wait_for(std::chrono::hours(1)));
}

TEST(DrainTest, AbandonEndsAWaitAndThoseToCome) {
  Drain drain;
  EXPECT_FALSE(drain.is_abandoned());
  drain.expect();
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    drain.abandon();
  });
  EXPECT_FALSE(drain.wait());
  other.join();
  EXPECT_TRUE(drain.is_abandoned());
  EXPECT_FALSE(drain.wait());
  drain.arrive();
  EXPECT_TRUE(drain.wait()) << "at rest all the same";
}

}  // namespace
}  // namespace mote::virtio
