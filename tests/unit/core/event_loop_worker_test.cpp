// SPDX-License-Identifier: Apache-2.0
// The event loop's workers: when they are asked, when they rest, and what a full loop does to them.
// And the operations on fixed files that they use.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "core/event_loop.hpp"
#include "tests/unit/core/loop_thread.hpp"

namespace mote {
namespace {

using test::LoopThread;
using test::Results;

template <class Condition>
bool comes_true(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + test::kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// Has as much to do as the test says, and counts how it is treated.
struct Worker final : LoopWorker {
  std::atomic<int> to_do{0};
  std::atomic<int> late{0};  // work that is found only when the worker is about to rest
  std::atomic<int> asked{0};
  std::atomic<int> rested{0};

  bool work() override {
    ++asked;
    if (to_do == 0) return false;
    --to_do;
    return true;
  }
  bool rest() override {
    if (late > 0) {
      --late;
      ++to_do;
      return true;
    }
    ++rested;
    return false;
  }
};

TEST(EventLoopWorkerTest, IsAskedUntilItHasNothingAndThenRests) {
  LoopThread thread;
  Worker worker;
  worker.to_do = 5;
  thread.start();
  thread.call([&] { thread.loop().wake(worker); });
  ASSERT_TRUE(comes_true([&] { return worker.rested == 1; }));
  EXPECT_EQ(worker.to_do, 0);
  const int asked = worker.asked;
  thread.call([&] {});  // the loop turns, and does not ask a resting worker
  EXPECT_EQ(worker.asked, asked);
}

TEST(EventLoopWorkerTest, WorkThatComesWhileItGoesToRestIsDone) {
  LoopThread thread;
  Worker worker;
  worker.late = 3;
  thread.start();
  thread.call([&] { thread.loop().wake(worker); });
  ASSERT_TRUE(comes_true([&] { return worker.rested == 1; }));
  EXPECT_EQ(worker.late, 0);
  EXPECT_EQ(worker.to_do, 0);
}

TEST(EventLoopWorkerTest, IsOnTheListOnceHoweverOftenItIsWoken) {
  LoopThread thread;
  Worker worker;
  thread.start();
  thread.call([&] {
    thread.loop().wake(worker);
    thread.loop().wake(worker);
  });
  ASSERT_TRUE(comes_true([&] { return worker.rested == 1; }));
  EXPECT_LE(worker.asked, 2);
}

TEST(EventLoopWorkerTest, WithoutAPollItRestsAtOnceAndWithOneOnlyWhileThatPays) {
  constexpr u64 kSecond = 1'000'000'000;
  LoopThread thread({.poll_ns = kSecond / 20});
  Worker worker;
  thread.start();
  // Long after the loop went to sleep: no poll.
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  thread.call([&] { thread.loop().wake(worker); });
  ASSERT_TRUE(comes_true([&] { return worker.rested == 1; }));
  EXPECT_LE(worker.asked, 2);
  // Right after: it looks for a while, finds nothing and rests.
  thread.call([&] { thread.loop().wake(worker); });
  ASSERT_TRUE(comes_true([&] { return worker.rested == 2; }));
  EXPECT_GT(worker.asked, 10);
}

TEST(EventLoopWorkerTest, IsWokenWhenThereIsRoomAgain) {
  LoopThread thread({.operations = 128});
  Worker worker;
  Results results;
  test::Pipe pipe;
  std::array<std::byte, 64> bytes{};
  bool was_full = false;
  thread.start();
  thread.call([&] {
    EventLoop& loop = thread.loop();
    for (std::byte& byte : bytes) {
      if (!loop.has_room()) break;
      loop.read(pipe.reader.get(), std::span(&byte, 1), results.completion());
    }
    was_full = !loop.has_room();
    loop.wait_for_room(worker);
    loop.wait_for_room(worker);
  });
  ASSERT_TRUE(was_full);
  EXPECT_EQ(worker.asked, 0);
  ASSERT_EQ(::write(pipe.writer.get(), "x", 1), 1);
  EXPECT_TRUE(comes_true([&] { return worker.rested == 1; }));
  EXPECT_LE(worker.asked, 2);
  thread.stop();  // reads are in flight
}

struct FixedFileTest : testing::Test {
  LoopThread thread{{.files = 2}};
  Results results;
  UniqueFd file{::memfd_create("test", MFD_CLOEXEC)};
  FixedFile fixed{};

  void SetUp() override {
    ASSERT_TRUE(file);
    auto added = thread.loop().add_file(file.get());
    ASSERT_TRUE(added.has_value());
    fixed = *added;
    thread.start();
  }
};

TEST_F(FixedFileTest, WritesAndReadsAtOffsetsInPieces) {
  char text[] = "piecework";
  const iovec pieces[] = {{text, 5}, {text + 5, 4}};
  thread.call([&] { thread.loop().write_at(fixed, pieces, 4096, 0, results.completion()); });
  ASSERT_EQ(results.wait(1), std::vector<i32>{9});
  char got[10] = {};
  const iovec halves[] = {{got, 2}, {got + 2, 7}};
  const iovec whole[] = {{got, 9}};
  thread.call([&] { thread.loop().read_at(fixed, halves, 4096, results.completion()); });
  ASSERT_EQ(results.wait(2).back(), 9);
  EXPECT_STREQ(got, text);
  std::memset(got, 0, sizeof(got));
  thread.call([&] { thread.loop().read_at(fixed, whole, 4096, results.completion()); });
  ASSERT_EQ(results.wait(3).back(), 9);
  EXPECT_STREQ(got, text);
}

TEST_F(FixedFileTest, AReadBehindTheEndIsShort) {
  char got[4];
  const iovec buffer[] = {{got, sizeof(got)}};
  thread.call([&] { thread.loop().read_at(fixed, buffer, 1 << 20, results.completion()); });
  EXPECT_EQ(results.wait(1), std::vector<i32>{0});
}

TEST_F(FixedFileTest, SyncsAndPunchesHoles) {
  ASSERT_EQ(::write(file.get(), "full", 4), 4);
  thread.call([&] { thread.loop().sync(fixed, results.completion()); });
  ASSERT_EQ(results.wait(1), std::vector<i32>{0});
  thread.call([&] {
    thread.loop().allocate(fixed, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4,
                           results.completion());
  });
  ASSERT_EQ(results.wait(2).back(), 0);
  char got[4] = {1, 1, 1, 1};
  ASSERT_EQ(::pread(file.get(), got, 4, 0), 4);
  EXPECT_EQ(std::memcmp(got, "\0\0\0\0", 4), 0);
}

TEST_F(FixedFileTest, ARemovedFileIsGoneAndItsPlaceIsFree) {
  thread.call([&] {
    thread.loop().remove_file(fixed);
    thread.loop().sync(fixed, results.completion());
  });
  EXPECT_EQ(results.wait(1), std::vector<i32>{-EBADF});
  thread.call([&] {
    const auto again = thread.loop().add_file(file.get());
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(*again, fixed);
  });
}

TEST_F(FixedFileTest, AnotherFileTakesThePlaceWhileTheLoopRuns) {
  UniqueFd other(::memfd_create("other", MFD_CLOEXEC));
  const int fd = other.get();
  thread.call([&] { thread.loop().update_file(fixed, &fd, results.completion()); });
  ASSERT_EQ(results.wait(1), std::vector<i32>{1});
  other.reset();
  char text[] = "late";
  const iovec buffer[] = {{text, 4}};
  thread.call([&] { thread.loop().write_at(fixed, buffer, 0, 0, results.completion()); });
  EXPECT_EQ(results.wait(2).back(), 4) << "the ring keeps it open";
  char got[4];
  EXPECT_EQ(::pread(file.get(), got, 4, 0), 0) << "nothing reaches the old one";
  const int bad = 1 << 20;
  thread.call([&] { thread.loop().update_file(fixed, &bad, results.completion()); });
  EXPECT_EQ(results.wait(3).back(), -EBADF);
}

TEST_F(FixedFileTest, WhatIsInFlightEndsOnTheFileThatItBeganOn) {
  test::Pipe pipe, other;
  const int fds[] = {pipe.reader.get(), other.reader.get()};
  thread.call([&] { thread.loop().update_file(fixed, &fds[0], results.completion()); });
  ASSERT_EQ(results.wait(1), std::vector<i32>{1});
  char got[8] = {};
  const iovec buffer[] = {{got, sizeof(got)}};
  thread.call([&] { thread.loop().read_at(fixed, buffer, ~u64{0}, results.completion()); });
  thread.call([&] { thread.loop().update_file(fixed, &fds[1], results.completion()); });
  ASSERT_EQ(results.wait(2), (std::vector<i32>{1, 1}));
  ASSERT_EQ(::write(other.writer.get(), "other", 5), 5);
  ASSERT_EQ(::write(pipe.writer.get(), "old", 3), 3);
  EXPECT_EQ(results.wait(3).back(), 3);
  EXPECT_STREQ(got, "old");
}

}  // namespace
}  // namespace mote
