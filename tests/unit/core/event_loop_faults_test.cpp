// SPDX-License-Identifier: Apache-2.0
// The event loop on a host that refuses submissions, for a moment or for good.
#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <thread>

#include "core/event_loop.hpp"
#include "tests/unit/core/loop_thread.hpp"
#include "tests/unit/core/ring_faults.hpp"

namespace mote {
namespace {

using test::LoopThread;
using test::Pipe;
using test::Results;
using test::RingFaults;

/// More than the submission queue holds, so that batches go out early.
constexpr std::size_t kMany = 150;

class MomentaryFault : public testing::TestWithParam<int> {};

TEST_P(MomentaryFault, DelaysWhatIsStartedAndLosesNothing) {
  Pipe pipe;
  Results results;
  RingFaults faults(GetParam(), 7);
  LoopThread thread;
  thread.start();
  thread.call([&] {
    faults.begin();
    for (std::size_t i = 0; i < kMany; ++i) {
      thread.loop().poll(pipe.writer.get(), POLLOUT, results.completion());
    }
  });
  EXPECT_EQ(results.wait(kMany), std::vector<i32>(kMany, POLLOUT));
  EXPECT_EQ(faults.left(), 0u);
  thread.call([] {});
  EXPECT_EQ(results.count(), kMany) << "none twice";
  thread.stop();
}

INSTANTIATE_TEST_SUITE_P(Errors, MomentaryFault, testing::Values(EAGAIN, EBUSY, EINTR),
                         [](const auto& test) { return strerrorname_np(test.param); });

TEST(EventLoopFaultsTest, CompletionsThatComeMeanwhileKeepTheirOrder) {
  struct Post {
    std::vector<int>* order;
    int number;
    void add(i32) { order->push_back(number); }
  };
  Pipe pipe;
  std::vector<int> order;
  std::vector<Post> posts;
  posts.reserve(kMany);
  for (int i = 0; i < static_cast<int>(kMany); ++i) posts.push_back({&order, i});
  RingFaults faults(EAGAIN, 5);
  LoopThread thread;
  thread.start();
  thread.call([&] {
    faults.begin();
    for (Post& post : posts) {
      thread.loop().poll(pipe.writer.get(), POLLOUT, Completion::to<&Post::add>(&post));
    }
    EXPECT_TRUE(order.empty()) << "a completion is not called from within a start";
  });
  const auto deadline = std::chrono::steady_clock::now() + test::kPatience;
  for (std::size_t count = 0; count < kMany;) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    thread.call([&] { count = order.size(); });
  }
  thread.stop();
  for (int i = 0; i < static_cast<int>(kMany); ++i) {
    EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  }
}

TEST(EventLoopFaultsTest, ARingThatIsBrokenEndsTheLoopWithAnError) {
  Pipe pipe;
  Results results;
  RingFaults faults(ENXIO, ~u32{0});
  auto loop = test::make_loop();
  struct Start {
    EventLoop& loop;
    Pipe& pipe;
    Results& results;
    RingFaults& faults;
    void start(i32) {
      faults.begin();
      for (std::size_t i = 0; i < kMany; ++i) {
        loop.poll(pipe.reader.get(), POLLIN, results.completion());
      }
    }
  } start{*loop, pipe, results, faults};
  loop->post(Completion::to<&Start::start>(&start));
  Result<void> ended;
  std::thread([&] { ended = loop->run(); }).join();
  ASSERT_FALSE(ended.has_value());
  EXPECT_NE(ended.error().message().find("ENXIO"), std::string::npos) << ended.error().message();
}

}  // namespace
}  // namespace mote
