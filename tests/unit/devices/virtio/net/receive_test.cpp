// SPDX-License-Identifier: Apache-2.0
// The receive side of a network device: what the host sends and what the driver finds in its
// buffers.
#include <sys/resource.h>

#include "tests/unit/devices/virtio/net/fixture.hpp"

namespace mote::virtio {
namespace {

using test::comes_true;
using test::Desc;
using test::kWrite;
using test::numbered_frame;

u64 cpu_time_us() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<u64>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 +
         static_cast<u64>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

struct NetReceiveTest : test::NetTest {
  static constexpr u32 kReceive = 0;
  static constexpr u64 kNotMergeable = ~net_feature::kMrgRxbuf;

  /// Offers a buffer of `size` bytes in one segment, full of 0xee.
  void offer(u32 size, u64 at = kData) {
    put(at, std::string(size, '\xee'));
    ASSERT_TRUE(driver(kReceive).add({{at, size, kWrite}}));
  }
  /// Waits for a frame in one buffer at `at`.
  void expect_frame(std::string_view frame, u64 at = kData) {
    const auto used = take(kReceive);
    ASSERT_TRUE(used);
    EXPECT_EQ(used->written, frame.size() + sizeof(NetHeader));
    EXPECT_EQ(header_at(at).num_buffers, 1);
    EXPECT_EQ(get(at + sizeof(NetHeader), frame.size()), frame);
  }
};

TEST_F(NetReceiveTest, FramesOfEverySizeArriveWhole) {
  open();
  for (const std::size_t size : {14ul, 60ul, 1514ul, 9014ul, 65550ul}) {
    const std::string frame = numbered_frame(1, size);
    NetHeader header{};
    if (size > 9014) {
      header = {.flags = NetHeader::kNeedsCsum,
                .gso_type = NetHeader::kGsoTcp4,
                .hdr_len = 54,
                .gso_size = 1448,
                .csum_start = 34,
                .csum_offset = 16};
    }
    offer(70'000);
    kick(kReceive);
    ASSERT_TRUE(wire.send(header, frame));
    expect_frame(frame);
    header.num_buffers = 1;
    EXPECT_EQ(header_at(kData), header);
    EXPECT_EQ(get(kData + sizeof(header) + size, 1), "\xee") << "not a byte more";
  }
  EXPECT_EQ(net->counters().received, 5u);
  EXPECT_EQ(net->counters().received_bytes, 14u + 60 + 1514 + 9014 + 65550);
  EXPECT_EQ(dropped(), 0u);
}

TEST_F(NetReceiveTest, FramesThatCameBeforeTheDriverWait) {
  make();
  ASSERT_TRUE(wire.send({}, numbered_frame(7, 100)));
  start_all();
  offer(2000);
  kick(kReceive);
  expect_frame(numbered_frame(7, 100));
}

TEST_F(NetReceiveTest, AFrameIsSpreadOverBuffersAndTheHeaderCountsThem) {
  open();
  for (u32 i = 0; i < 10; ++i) offer(1000, kData + 0x1000 * i);
  kick(kReceive);
  const std::string frame = numbered_frame(2, 3500);
  ASSERT_TRUE(wire.send({}, frame));
  std::string whole;
  for (u32 i = 0; i < 4; ++i) {
    const auto used = take(kReceive);
    ASSERT_TRUE(used);
    EXPECT_EQ(used->written, i < 3 ? 1000u : 512u);
    whole += get(kData + 0x1000 * i, used->written);
  }
  EXPECT_EQ(header_at(kData).num_buffers, 4);
  EXPECT_EQ(whole.substr(sizeof(NetHeader)), frame);
  EXPECT_FALSE(driver(kReceive).take());
  ASSERT_TRUE(wire.send({}, numbered_frame(3, 988)));
  expect_frame(numbered_frame(3, 988), kData + 0x4000);  // fills it to the last byte
  ASSERT_TRUE(wire.send({}, numbered_frame(4, 989)));
  EXPECT_EQ(take(kReceive)->written, 1000u);
  EXPECT_EQ(take(kReceive)->written, 1u);
  EXPECT_EQ(header_at(kData + 0x5000).num_buffers, 2);
}

TEST_F(NetReceiveTest, AHeaderInSingleBytesIsStillAHeader) {
  open();
  std::vector<Desc> chain;
  for (u64 i = 0; i < 20; ++i) chain.push_back({kData + i, 1, kWrite});
  ASSERT_TRUE(driver(kReceive).add(chain));
  offer(1000, kData + 0x1000);
  kick(kReceive);
  const std::string frame = numbered_frame(2, 100);
  ASSERT_TRUE(wire.send({}, frame));
  EXPECT_EQ(take(kReceive)->written, 20u);
  EXPECT_EQ(take(kReceive)->written, 92u);
  EXPECT_EQ(header_at(kData).num_buffers, 2);
  EXPECT_EQ(get(kData + 12, 8) + get(kData + 0x1000, 92), frame);
}

TEST_F(NetReceiveTest, AFrameWaitsForTheBuffersThatItLacks) {
  open();
  ASSERT_TRUE(wire.send({}, numbered_frame(2, 3500)));
  for (u32 i = 0; i < 4; ++i) {
    EXPECT_FALSE(driver(kReceive).take()) << "nothing is shown of a frame in part";
    offer(1000, kData + 0x1000 * i);
    kick(kReceive);
    settle();
  }
  for (u32 i = 0; i < 4; ++i) ASSERT_TRUE(take(kReceive));
  EXPECT_EQ(header_at(kData).num_buffers, 4);
  EXPECT_EQ(get(kData + 12, 988), numbered_frame(2, 3500).substr(0, 988));
  EXPECT_EQ(dropped(), 0u);
}

TEST_F(NetReceiveTest, BuffersOfAFrameInPartAreTheDriversAgainAfterAStop) {
  open();
  ASSERT_TRUE(wire.send({}, numbered_frame(2, 3500)));
  offer(1000);
  offer(1000, kData + 0x1000);
  kick(kReceive);
  settle();
  const QueuePosition position = halt(kReceive);
  EXPECT_EQ(position, QueuePosition{});
  resume(kReceive, position);
  offer(5000, kData + 0x2000);
  kick(kReceive);
  for (u32 i = 0; i < 3; ++i) ASSERT_TRUE(take(kReceive));
  EXPECT_EQ(header_at(kData).num_buffers, 3);
  EXPECT_EQ(get(kData + 0x2000, 1512), numbered_frame(2, 3500).substr(1988));
}

TEST_F(NetReceiveTest, AFrameLargerThanAllOfTheQueueIsDropped) {
  open();
  for (u32 i = 0; i < 64; ++i) offer(100, kData + 0x100 * i);
  kick(kReceive);
  ASSERT_TRUE(wire.send({}, numbered_frame(1, 9000)));
  ASSERT_TRUE(wire.send({}, numbered_frame(2, 88)));
  expect_frame(numbered_frame(2, 88));
  EXPECT_EQ(net->counters().receive_dropped, 1u);
}

TEST_F(NetReceiveTest, ABufferWithoutRoomForAHeaderBreaksTheQueue) {
  open();
  offer(11);
  kick(kReceive);
  ASSERT_TRUE(wire.send({}, numbered_frame(1, 100)));
  EXPECT_TRUE(comes_true([&] { return events.broken == 1; }));
  stop(kReceive);
  start(kReceive);
  offer(1000);
  kick(kReceive);
  expect_frame(numbered_frame(1, 100));
}

TEST_F(NetReceiveTest, ABufferThatCannotBeWrittenBreaksTheQueue) {
  open();
  driver(kReceive).add({{kData, 1000}});
  kick(kReceive);
  ASSERT_TRUE(wire.send({}, numbered_frame(1, 100)));
  EXPECT_TRUE(comes_true([&] { return events.broken == 1; }));
}

TEST_F(NetReceiveTest, WithoutMergeableBuffersAFrameThatDoesNotFitIsDropped) {
  open(kNotMergeable);
  offer(1526);
  kick(kReceive);
  ASSERT_TRUE(wire.send({}, numbered_frame(1, 1515)));
  ASSERT_TRUE(wire.send({}, numbered_frame(2, 1514)));
  expect_frame(numbered_frame(2, 1514));
  EXPECT_EQ(net->counters().receive_dropped, 1u);
  ASSERT_TRUE(wire.send({}, numbered_frame(3, 100)));
  std::vector<Desc> chain = {
      {kData, 12, kWrite}, {kData + 0x1000, 50, kWrite}, {kData + 0x2000, 50, kWrite}};
  ASSERT_TRUE(driver(kReceive).add(chain));
  kick(kReceive);
  ASSERT_EQ(take(kReceive)->written, 112u);
  EXPECT_EQ(get(kData + 0x1000, 50) + get(kData + 0x2000, 50), numbered_frame(3, 100));
  EXPECT_EQ(header_at(kData).num_buffers, 1);
}

TEST_F(NetReceiveTest, RuntsAndFramesAboveTheMtuAreDropped) {
  options.mtu = 1500;
  open();
  for (u32 i = 0; i < 4; ++i) offer(4000, kData + 0x1000 * i);
  kick(kReceive);
  ASSERT_TRUE(wire.send_raw("x"));
  ASSERT_TRUE(wire.send_raw(std::string(11, '\0')));
  ASSERT_TRUE(wire.send({}, std::string(13, '\0')));
  ASSERT_TRUE(wire.send({}, numbered_frame(1, 1519)));
  ASSERT_TRUE(wire.send({}, numbered_frame(2, 1518)));
  expect_frame(numbered_frame(2, 1518));
  EXPECT_EQ(net->counters().receive_dropped, 4u);
}

TEST_F(NetReceiveTest, WhatWasNotNegotiatedIsDroppedOrHidden) {
  open(net_feature::kMrgRxbuf);
  for (u32 i = 0; i < 4; ++i) offer(4000, kData + 0x1000 * i);
  kick(kReceive);
  ASSERT_TRUE(wire.send({.flags = NetHeader::kNeedsCsum, .csum_start = 34, .csum_offset = 16},
                        numbered_frame(1, 100)));
  ASSERT_TRUE(
      wire.send({.gso_type = NetHeader::kGsoTcp4, .gso_size = 100}, numbered_frame(2, 1000)));
  ASSERT_TRUE(wire.send({.flags = NetHeader::kDataValid}, numbered_frame(3, 100)));
  expect_frame(numbered_frame(3, 100));
  EXPECT_EQ(header_at(kData).flags, 0);
  EXPECT_EQ(net->counters().receive_dropped, 2u);
}

TEST_F(NetReceiveTest, WithoutBuffersNothingIsLostAndNothingSpins) {
  open();
  u32 sent = 0;
  // More than the device reads ahead; the rest stays in the socket.
  for (; sent < 180; ++sent) ASSERT_TRUE(wire.send({}, numbered_frame(sent, 100)));
  settle();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const u64 before = cpu_time_us();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(cpu_time_us() - before, 50'000u);
  u32 next = 0;
  while (next < sent) {
    for (u32 i = 0; i < 50; ++i) offer(256, kData + 0x1000 * i);
    kick(kReceive);
    for (u32 i = 0; i < 50 && next < sent; ++i, ++next) {
      expect_frame(numbered_frame(next, 100), kData + 0x1000 * i);
    }
    if (next == sent) break;
  }
  EXPECT_EQ(dropped(), 0u);
}

TEST_F(NetReceiveTest, AFloodThatTheGuestDoesNotReadCostsNothing) {
  open();
  std::atomic<bool> done{false};
  std::thread flood([&] {
    while (!done) {
      if (!wire.send({}, std::string(1000, 'f'))) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  // The other direction answers.
  driver(1).put(kData, NetHeader{});
  put(kData + 12, numbered_frame(1, 100));
  driver(1).add({{kData, 112}});
  kick(1);
  EXPECT_TRUE(take(1));
  const u64 before = cpu_time_us();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(cpu_time_us() - before, 100'000u);
  done = true;
  flood.join();
}

TEST_F(NetReceiveTest, ABurstMakesFewInterrupts) {
  open();
  for (u32 i = 0; i < 60; ++i) offer(256, kData + 0x1000 * i);
  driver(kReceive).want_interrupt();
  kick(kReceive);
  for (u32 i = 0; i < 60; ++i) ASSERT_TRUE(wire.send({}, numbered_frame(i, 100)));
  for (u32 i = 0; i < 60; ++i) expect_frame(numbered_frame(i, 100), kData + 0x1000 * i);
  EXPECT_EQ(events.used, 1u);
}

TEST_F(NetReceiveTest, AResetForgetsFramesAndAStopDoesNot) {
  open();
  ASSERT_TRUE(wire.send({}, numbered_frame(1, 100)));
  settle();
  const QueuePosition position = halt(kReceive);
  resume(kReceive, position);
  offer(256);
  kick(kReceive);
  expect_frame(numbered_frame(1, 100));
  for (u32 i = 0; i < 5; ++i) ASSERT_TRUE(wire.send({}, numbered_frame(2, 100)));
  ASSERT_TRUE(comes_true([this] { return wire.is_read(); }));
  settle();
  stop_all();
  net->reset();
  start_all();
  ASSERT_TRUE(wire.send({}, numbered_frame(3, 100)));
  offer(256);
  kick(kReceive);
  expect_frame(numbered_frame(3, 100));
}

TEST_F(NetReceiveTest, WhileTheQueueRestsFramesWaitInTheHost) {
  open();
  settle();
  const QueuePosition position = halt(kReceive);
  settle();
  ASSERT_TRUE(wire.send({}, numbered_frame(1, 100)));
  settle();
  EXPECT_FALSE(wire.is_read());
  resume(kReceive, position);
  offer(256);
  kick(kReceive);
  expect_frame(numbered_frame(1, 100));
}

TEST_F(NetReceiveTest, WithTheLinkDownFramesAreDropped) {
  open();
  offer(256);
  kick(kReceive);
  net->set_link(false);
  ASSERT_TRUE(wire.send({}, numbered_frame(1, 100)));
  EXPECT_TRUE(comes_true([&] { return dropped() == 1; }));
  net->set_link(true);
  ASSERT_TRUE(wire.send({}, numbered_frame(2, 100)));
  expect_frame(numbered_frame(2, 100));
}

TEST_F(NetReceiveTest, AHostThatIsGoneIsNoReasonToSpin) {
  open();
  wire.host[0].reset();
  settle();
  const u64 before = cpu_time_us();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(cpu_time_us() - before, 50'000u);
  EXPECT_EQ(events.broken, 0u);
}

TEST_F(NetReceiveTest, FramesAreLimited) {
  options.rx_frames = TokenBucket(10, 100'000'000, 0);
  open();
  for (u32 i = 0; i < 20; ++i) offer(256, kData + 0x1000 * i);
  kick(kReceive);
  const auto begin = std::chrono::steady_clock::now();
  for (u32 i = 0; i < 20; ++i) ASSERT_TRUE(wire.send({}, numbered_frame(i, 100)));
  for (u32 i = 0; i < 20; ++i) expect_frame(numbered_frame(i, 100), kData + 0x1000 * i);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(90));
}

TEST_F(NetReceiveTest, AFrameThatWaitsForALimitComesWhenItIsTakenAway) {
  open();
  net->set_limits({.bytes = {}, .operations = TokenBucket(1, 3'600'000'000'000, 0)}, {});
  for (u32 i = 0; i < 2; ++i) offer(256, kData + 0x1000 * i);
  kick(kReceive);
  for (u32 i = 0; i < 2; ++i) ASSERT_TRUE(wire.send({}, numbered_frame(i, 100)));
  expect_frame(numbered_frame(0, 100), kData);
  settle();
  EXPECT_FALSE(driver(kReceive).take());
  EXPECT_GE(net->counters().receive_throttled, 1u);
  EXPECT_EQ(net->counters().send_throttled, 0u);
  net->set_limits({.bytes = {}, .operations = std::optional<TokenBucket>()}, {});
  expect_frame(numbered_frame(1, 100), kData + 0x1000);
}

TEST_F(NetReceiveTest, AFrameThatWaitsForBuffersIsChargedOnce) {
  options.rx_bytes = TokenBucket(1000, 3'600'000'000'000, 0);
  open();
  ASSERT_TRUE(wire.send({}, numbered_frame(1, 1000)));
  for (u32 i = 0; i < 5; ++i) {
    offer(200, kData + 0x1000 * i);
    kick(kReceive);
    settle();
  }
  offer(200, kData + 0x5000);
  kick(kReceive);
  for (u32 i = 0; i < 6; ++i) ASSERT_TRUE(take(kReceive));
  ASSERT_TRUE(wire.send({}, numbered_frame(2, 1000)));
  offer(2000);
  kick(kReceive);
  settle();
  EXPECT_FALSE(driver(kReceive).take());
}

}  // namespace
}  // namespace mote::virtio
