// SPDX-License-Identifier: Apache-2.0
// Reading ahead, by one read for many frames and by one for each.
#include "core/frame_reader.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>

#include "tests/unit/core/loop_thread.hpp"

namespace mote {
namespace {

struct Listener final : FrameListener {
  std::atomic<u32> frames{0};
  std::atomic<u32> failures{0};
  std::atomic<i32> error{1};
  void on_frame() override { ++frames; }
  void on_read_failed(i32 why) override {
    error = why;
    ++failures;
  }
  std::atomic<u32> stops{0};
  void on_read_stopped() override { ++stops; }
};

template <class Condition>
bool comes_true(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + test::kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

struct FrameReaderTest : testing::TestWithParam<bool> {
  test::LoopThread thread;
  Listener listener;
  UniqueFd near, far;
  std::unique_ptr<FrameReader> reader;

  void SetUp() override {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    near.reset(fds[0]);
    far.reset(fds[1]);
    open(near.get());
  }
  void TearDown() override { thread.stop(); }
  void open(int fd) {
    auto made = FrameReader::create(
        thread.loop(), {.fd = fd, .buffers = 8, .size = 1000, .multishot = GetParam()}, listener);
    ASSERT_TRUE(made.has_value()) << made.error().message();
    reader = *std::move(made);
  }
  void run() {
    thread.start();
    thread.call([this] { reader->start(); });
  }
  void send(const std::string& text) {
    ASSERT_EQ(::send(far.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  /// The oldest frame, which is dropped; "" when there is none.
  std::string take() {
    std::string text;
    thread.call([&] {
      const auto frame = reader->front();
      if (frame.empty()) return;
      text.assign(reinterpret_cast<const char*>(frame.data()), frame.size());
      reader->drop_front();
      reader->refill();
    });
    return text;
  }
  bool is_socket_empty() const {
    pollfd ready{near.get(), POLLIN, 0};
    return ::poll(&ready, 1, 0) == 0;
  }
};

TEST_P(FrameReaderTest, FramesComeInOrderAndOneByOne) {
  run();
  EXPECT_EQ(take(), "");
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 5; ++i) send(std::to_string(round * 10 + i));
    ASSERT_TRUE(comes_true([&] { return listener.frames == 5 * (static_cast<u32>(round) + 1); }));
    for (int i = 0; i < 5; ++i) EXPECT_EQ(take(), std::to_string(round * 10 + i));
    EXPECT_EQ(take(), "");
  }
  EXPECT_EQ(listener.failures, 0u);
}

TEST_P(FrameReaderTest, WhatTheBuffersCannotHoldStaysInTheSocket) {
  run();
  for (int i = 0; i < 20; ++i) send(std::to_string(i));
  ASSERT_TRUE(comes_true([&] { return listener.frames == 8; }));
  thread.call([] {});
  EXPECT_EQ(listener.frames, 8u);
  EXPECT_FALSE(is_socket_empty());
  for (int i = 0; i < 20; ++i) {
    std::string text;
    ASSERT_TRUE(comes_true([&] { return !(text = take()).empty(); }));
    EXPECT_EQ(text, std::to_string(i));
  }
  EXPECT_EQ(listener.failures, 0u);
}

TEST_P(FrameReaderTest, NothingIsReadBeforeAStartOrAfterAStop) {
  thread.start();
  send("first");
  thread.call([] {});
  EXPECT_FALSE(is_socket_empty());
  thread.call([this] { reader->start(); });
  ASSERT_TRUE(comes_true([&] { return listener.frames == 1; }));
  thread.call([this] { reader->stop(); });
  thread.call([] {});
  thread.call([] {});
  send("second");
  thread.call([] {});
  EXPECT_FALSE(is_socket_empty());
  EXPECT_EQ(take(), "first") << "what was read is kept";
  thread.call([this] { reader->start(); });
  ASSERT_TRUE(comes_true([&] { return listener.frames == 2; }));
  EXPECT_EQ(take(), "second");
}

TEST_P(FrameReaderTest, AfterAStopNothingIsOnItsWay) {
  run();
  thread.call([this] {
    EXPECT_TRUE(reader->is_reading());
    reader->stop();
  });
  ASSERT_TRUE(comes_true([&] { return listener.stops == 1; }));
  thread.call([this] { EXPECT_FALSE(reader->is_reading()); });
  send("later");
  thread.call([] {});
  EXPECT_FALSE(is_socket_empty());
}

TEST_P(FrameReaderTest, FramesThatWaitMoveToAnother) {
  run();
  for (int i = 0; i < 5; ++i) send(std::to_string(i));
  ASSERT_TRUE(comes_true([&] { return listener.frames == 5; }));
  EXPECT_EQ(take(), "0");
  thread.call([this] { reader->stop(); });
  ASSERT_TRUE(comes_true([&] { return listener.stops == 1; }));
  FrameReader::Frames frames = reader->save();
  ASSERT_EQ(frames.size(), 4u);
  thread.call([&] { reader->restore({}); });
  EXPECT_EQ(take(), "") << "what waited is replaced";
  thread.call([&] {
    reader->restore(frames);
    reader->start();
  });
  send("5");
  EXPECT_EQ(take(), "1");
  EXPECT_FALSE(is_socket_empty()) << "no more is read while some wait";
  thread.call([&] { frames = reader->save(); });
  EXPECT_EQ(frames.size(), 3u);
  for (int i = 2; i < 5; ++i) EXPECT_EQ(take(), std::to_string(i));
  ASSERT_TRUE(comes_true([&] { return listener.frames == 6; }));
  EXPECT_EQ(take(), "5");
}

TEST_P(FrameReaderTest, OfFramesFromOutsideItTakesWhatABufferAndTheRingHold) {
  thread.start();
  FrameReader::Frames frames(20, std::vector<std::byte>(10));
  frames[0].clear();
  frames[1].resize(1001);
  frames[2].resize(1000);
  thread.call([&] {
    reader->restore(frames);
    frames = reader->save();
  });
  ASSERT_EQ(frames.size(), 6u);
  EXPECT_EQ(frames[0].size(), 1000u);
}

TEST_P(FrameReaderTest, StopsAndStartsInOneTurnLoseNothing) {
  run();
  for (int i = 0; i < 100; ++i) {
    thread.call([this] {
      reader->stop();
      reader->start();
      reader->stop();
      reader->start();
    });
    send(std::to_string(i));
    std::string text;
    ASSERT_TRUE(comes_true([&] { return !(text = take()).empty(); }));
    ASSERT_EQ(text, std::to_string(i));
  }
  EXPECT_EQ(listener.failures, 0u);
}

TEST_P(FrameReaderTest, TheEndIsToldOnce) {
  run();
  send("last");
  far.reset();
  ASSERT_TRUE(comes_true([&] { return listener.failures == 1; }));
  EXPECT_EQ(listener.error, 0);
  EXPECT_EQ(take(), "last");
  thread.call([] {});
  EXPECT_EQ(listener.failures, 1u);
}

TEST_P(FrameReaderTest, AnErrorIsToldOnceForEachStart) {
  near.reset();
  run();
  ASSERT_TRUE(comes_true([&] { return listener.failures == 1; }));
  EXPECT_EQ(listener.error, -EBADF);
  thread.call([this] { reader->start(); });
  EXPECT_TRUE(comes_true([&] { return listener.failures == 2; }));
}

INSTANTIATE_TEST_SUITE_P(Ways, FrameReaderTest, testing::Bool(),
                         [](const auto& way) { return way.param ? "Multishot" : "Single"; });

TEST(BufferRingTest, ALoopWithoutBuffersMayNotReadIntoThem) {
  // The restriction of a ring that nobody gave buffers to: a read_on on it is refused.
  test::LoopThread thread;
  test::Pipe pipe;
  struct Sink final : ReadSink {
    std::atomic<i32> end{1};
    void on_read(u16, u32) override {}
    void on_read_end(i32 result) override { end = result; }
  } sink;
  auto buffers = BufferRing::create(8, 100);
  ASSERT_TRUE(buffers.has_value());
  thread.start();
  thread.call([&] { thread.loop().read_on(pipe.reader.get(), *buffers, sink); });
  EXPECT_TRUE(comes_true([&] { return sink.end == -EACCES; })) << sink.end;
}

}  // namespace
}  // namespace mote
