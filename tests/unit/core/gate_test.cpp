// SPDX-License-Identifier: Apache-2.0
#include "core/gate.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace mote {
namespace {

TEST(Gate, LetsInUntilItIsClosed) {
  Gate gate;
  {
    const Gate::Pass first(gate);
    const Gate::Pass second(gate);
    EXPECT_TRUE(first);
    EXPECT_TRUE(second);
  }
  gate.close();
  EXPECT_FALSE(Gate::Pass(gate));
  gate.close();
  EXPECT_FALSE(Gate::Pass(gate));
}

TEST(Gate, ClosesWhenTheLastOneHasLeft) {
  Gate gate;
  std::atomic<bool> is_inside{false};
  std::atomic<bool> may_leave{false};
  std::atomic<bool> has_left{false};
  std::thread guest([&] {
    const Gate::Pass pass(gate);
    is_inside.store(true);
    is_inside.notify_all();
    may_leave.wait(false);
    has_left.store(true);
  });
  is_inside.wait(false);
  std::thread closer([&] {
    gate.close();
    EXPECT_TRUE(has_left.load());
  });
  while (Gate::Pass(gate)) std::this_thread::yield();
  EXPECT_FALSE(has_left.load());
  may_leave.store(true);
  may_leave.notify_all();
  closer.join();
  guest.join();
}

TEST(Gate, NobodyIsInsideBehindItsEnd) {
  constexpr int kRounds = 200;
  for (int round = 0; round < kRounds; ++round) {
    Gate gate;
    std::atomic<bool> is_there{true};
    const auto use = [&] {
      for (;;) {
        const Gate::Pass pass(gate);
        if (!pass) return;
        EXPECT_TRUE(is_there.load());
      }
    };
    std::thread first(use);
    std::thread second(use);
    gate.close();
    is_there.store(false);
    first.join();
    second.join();
  }
}

}  // namespace
}  // namespace mote
