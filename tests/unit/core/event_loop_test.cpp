// SPDX-License-Identifier: Apache-2.0
// The event loop with real pipes: results, order, cancellation, and more at once than the ring
// holds.
#include "core/event_loop.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/unit/core/loop_thread.hpp"

namespace mote {
namespace {

using test::LoopThread;
using test::Pipe;
using test::Results;

void write_text(const UniqueFd& fd, std::string_view text) {
  ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

struct EventLoopTest : testing::Test {
  LoopThread thread;
  Results results;
  Pipe pipe;
  std::array<std::byte, 16> buffer{};

  EventLoop& loop() { return thread.loop(); }
  OperationId read_pipe() { return loop().read(pipe.reader.get(), buffer, results.completion()); }
};

TEST_F(EventLoopTest, ReadWaitsForBytesAndCountsThem) {
  thread.start();
  thread.call([this] { read_pipe(); });
  EXPECT_EQ(results.count(), 0u);
  write_text(pipe.writer, "hello");
  EXPECT_EQ(results.wait(1), std::vector<i32>{5});
  thread.stop();
  EXPECT_EQ(std::memcmp(buffer.data(), "hello", 5), 0);
}

TEST_F(EventLoopTest, ReadOfAClosedPipeIsZero) {
  read_pipe();
  pipe.writer.reset();
  thread.start();
  EXPECT_EQ(results.wait(1), std::vector<i32>{0});
}

TEST_F(EventLoopTest, WriteArrives) {
  const std::string text = "out";
  loop().write(pipe.writer.get(), std::as_bytes(std::span(text)), results.completion());
  thread.start();
  EXPECT_EQ(results.wait(1), std::vector<i32>{3});
  char got[3] = {};
  ASSERT_EQ(::read(pipe.reader.get(), got, sizeof(got)), 3);
  EXPECT_EQ(std::string(got, 3), text);
}

TEST_F(EventLoopTest, AFilesWritesFollowEachOther) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const int fd = ::fileno(file);
  const std::string first = "one ", second = "two";
  thread.start();
  thread.call([&] { loop().write(fd, std::as_bytes(std::span(first)), results.completion()); });
  ASSERT_EQ(results.wait(1), std::vector<i32>{4});
  thread.call([&] { loop().write(fd, std::as_bytes(std::span(second)), results.completion()); });
  ASSERT_EQ(results.wait(2), (std::vector<i32>{4, 3}));
  char got[8] = {};
  EXPECT_EQ(::pread(fd, got, sizeof(got), 0), 7);
  EXPECT_STREQ(got, "one two");
  std::fclose(file);
}

TEST_F(EventLoopTest, PollReportsWhatIsReady) {
  loop().poll(pipe.reader.get(), POLLIN, results.completion());
  thread.start();
  write_text(pipe.writer, "x");
  const auto masks = results.wait(1);
  ASSERT_EQ(masks.size(), 1u);
  EXPECT_EQ(masks[0] & POLLIN, POLLIN);
}

TEST_F(EventLoopTest, ABadDescriptorIsANegatedErrno) {
  loop().read(-1, buffer, results.completion());
  thread.start();
  EXPECT_EQ(results.wait(1), std::vector<i32>{-EBADF});
}

TEST_F(EventLoopTest, CancelledReadsAndPollsSaySo) {
  thread.start();
  thread.call([this] {
    const OperationId read = read_pipe();
    const OperationId poll = loop().poll(pipe.reader.get(), POLLIN, results.completion());
    loop().cancel(read);
    loop().cancel(poll);
  });
  EXPECT_EQ(results.wait(2), (std::vector<i32>{-ECANCELED, -ECANCELED}));
}

TEST_F(EventLoopTest, CancelBeforeTheLoopRunsCounts) {
  loop().cancel(read_pipe());
  thread.start();
  EXPECT_EQ(results.wait(1), std::vector<i32>{-ECANCELED});
}

TEST_F(EventLoopTest, AStaleNameCancelsNothing) {
  OperationId stale;
  thread.start();
  thread.call([&] { stale = read_pipe(); });
  write_text(pipe.writer, "x");
  ASSERT_EQ(results.wait(1), std::vector<i32>{1});
  thread.call([&] {
    const OperationId current = read_pipe();
    EXPECT_EQ(current.index, stale.index) << "the test is about a slot used again";
    EXPECT_NE(current.generation, stale.generation);
    loop().cancel(stale);
  });
  // The cancellation was submitted with or before this post's answer; the read still stands.
  thread.call([] {});
  EXPECT_EQ(results.count(), 1u);
  write_text(pipe.writer, "yz");
  EXPECT_EQ(results.wait(2), (std::vector<i32>{1, 2}));
}

TEST_F(EventLoopTest, CancellingTwiceEndsOnce) {
  thread.start();
  thread.call([this] {
    const OperationId id = read_pipe();
    loop().cancel(id);
    loop().cancel(id);
  });
  ASSERT_EQ(results.wait(1), std::vector<i32>{-ECANCELED});
  thread.call([] {});
  EXPECT_EQ(results.count(), 1u);
}

TEST_F(EventLoopTest, StopBeforeRunEndsIt) {
  loop().stop();
  EXPECT_TRUE(loop().run().has_value());
}

TEST_F(EventLoopTest, PostsBeforeRunAreDone) {
  for (int i = 0; i < 1000; ++i) loop().post(results.completion());
  thread.start();
  EXPECT_EQ(results.wait(1000).size(), 1000u);
}

TEST_F(EventLoopTest, StopStillServesWhatWasPostedBefore) {
  loop().post(results.completion());
  loop().stop();
  EXPECT_TRUE(loop().run().has_value());
  EXPECT_EQ(results.count(), 1u);
}

TEST_F(EventLoopTest, PostsFromManyThreadsKeepTheOrderOfEach) {
  constexpr u32 kThreads = 4;
  constexpr u32 kPosts = 5000;
  struct Post {
    u32 lane;
    u32 number;
    std::vector<std::vector<u32>>* seen;  // the loop's thread only
  };
  std::vector<std::vector<u32>> seen(kThreads);
  std::vector<std::vector<Post>> posts(kThreads);
  thread.start();
  std::vector<std::thread> posters;
  for (u32 lane = 0; lane < kThreads; ++lane) {
    for (u32 i = 0; i < kPosts; ++i) posts[lane].push_back({lane, i, &seen});
    posters.emplace_back([&, lane] {
      for (Post& post : posts[lane]) {
        loop().post({[](void* context, i32 result) {
                       const Post& self = *static_cast<Post*>(context);
                       EXPECT_EQ(result, 0);
                       (*self.seen)[self.lane].push_back(self.number);
                     },
                     &post});
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  thread.call([] {});
  thread.stop();
  for (const std::vector<u32>& lane : seen) {
    ASSERT_EQ(lane.size(), kPosts);
    for (u32 i = 0; i < kPosts; ++i) ASSERT_EQ(lane[i], i);
  }
}

/// Posts itself again from its own completion.
struct Chain {
  EventLoop* loop;
  Results* results;
  u32 left;
  void step(i32) {
    if (left-- == 0) return results->completion().function(results, 0);
    loop->post(Completion::to<&Chain::step>(this));
  }
};

TEST_F(EventLoopTest, ATaskMayPostTheNext) {
  Chain chain{&loop(), &results, 1000};
  thread.start();
  loop().post(Completion::to<&Chain::step>(&chain));
  EXPECT_EQ(results.wait(1).size(), 1u);
}

/// Reads a byte at a time, each read submitted by the completion of the one before.
struct ByteReader {
  EventLoop* loop;
  int fd;
  Results* results;
  std::byte byte{};
  std::string text;
  void read() { loop->read(fd, {&byte, 1}, Completion::to<&ByteReader::on_read>(this)); }
  void on_read(i32 result) {
    if (result != 1) return results->completion().function(results, result);
    text += static_cast<char>(byte);
    read();
  }
};

TEST_F(EventLoopTest, CompletionsSubmitTheNextOperation) {
  ByteReader reader{&loop(), pipe.reader.get(), &results, {}, {}};
  reader.read();
  thread.start();
  std::string text;
  for (int i = 0; i < 500; ++i) text += static_cast<char>('a' + i % 26);
  write_text(pipe.writer, text);
  pipe.writer.reset();
  EXPECT_EQ(results.wait(1), std::vector<i32>{0});
  thread.stop();
  EXPECT_EQ(reader.text, text);
}

constexpr std::size_t kMany = 1000;

TEST_F(EventLoopTest, AThousandPollsWaitAndEndTogether) {
  thread.start();
  thread.call([this] {
    for (std::size_t i = 0; i < kMany; ++i) {
      loop().poll(pipe.reader.get(), POLLIN, results.completion());
    }
  });
  EXPECT_EQ(results.count(), 0u);
  write_text(pipe.writer, "x");
  const auto masks = results.wait(kMany);
  ASSERT_EQ(masks.size(), kMany);
  for (const i32 mask : masks) EXPECT_EQ(mask & POLLIN, POLLIN);
  thread.call([] {});
  EXPECT_EQ(results.count(), kMany) << "none twice";
}

TEST_F(EventLoopTest, AThousandCancellationsAtOnce) {
  thread.start();
  thread.call([this] {
    std::vector<OperationId> ids;
    for (std::size_t i = 0; i < kMany; ++i) {
      ids.push_back(loop().poll(pipe.reader.get(), POLLIN, results.completion()));
    }
    for (const OperationId id : ids) loop().cancel(id);
  });
  EXPECT_EQ(results.wait(kMany), std::vector<i32>(kMany, -ECANCELED));
}

/// Polls what is ready, and again from each completion: completions and submissions at once, more
/// of both than the ring holds.
struct Storm {
  EventLoop* loop;
  int fd;
  Results* results;
  u32 left = 10;
  void poll() { loop->poll(fd, POLLIN, Completion::to<&Storm::on_ready>(this)); }
  void on_ready(i32 result) {
    if (result < 0 || --left == 0) return results->completion().function(results, result);
    poll();
  }
};

TEST_F(EventLoopTest, SubmittingWhileTheCompletionQueueOverflows) {
  std::vector<Storm> storms(kMany, Storm{&loop(), pipe.reader.get(), &results});
  write_text(pipe.writer, "x");
  thread.start();
  thread.call([&] {
    for (Storm& storm : storms) storm.poll();
  });
  const auto masks = results.wait(kMany);
  ASSERT_EQ(masks.size(), kMany);
  for (const i32 mask : masks) EXPECT_EQ(mask, POLLIN);
}

TEST_F(EventLoopTest, EndsWithOperationsInFlight) {
  auto own = test::make_loop();
  own->read(pipe.reader.get(), buffer, results.completion());
  own->stop();
  EXPECT_TRUE(own->run().has_value());
  own.reset();
  EXPECT_EQ(results.count(), 0u);
}

}  // namespace
}  // namespace mote
