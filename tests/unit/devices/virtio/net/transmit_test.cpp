// SPDX-License-Identifier: Apache-2.0
// The transmit side of a network device: what the driver sends and what the host gets.
#include "tests/unit/devices/virtio/net/fixture.hpp"

namespace mote::virtio {
namespace {

using test::comes_true;
using test::kWrite;
using test::numbered_frame;

struct NetTransmitTest : test::NetTest {
  static constexpr u32 kTransmit = 1;

  /// Lays a header and a frame into RAM at `at` and offers them in one segment.
  void add(const NetHeader& header, std::string_view frame, u64 at = kData) {
    driver(kTransmit).put(at, header);
    put(at + sizeof(header), frame);
    ASSERT_TRUE(driver(kTransmit).add({{at, static_cast<u32>(sizeof(header) + frame.size())}}));
  }
  void send(const NetHeader& header, std::string_view frame) {
    add(header, frame);
    kick(kTransmit);
    const auto used = take(kTransmit);
    ASSERT_TRUE(used);
    EXPECT_EQ(used->written, 0u);
  }
  /// Whether a frame of `size` bytes with this header goes out as it is.
  void expect_sent(const NetHeader& header, std::size_t size) {
    const std::string frame = numbered_frame(1, size);
    const u64 before = dropped();
    send(header, frame);
    const auto received = wire.receive();
    ASSERT_TRUE(received);
    EXPECT_EQ(received->frame, frame);
    EXPECT_EQ(received->header, header);
    EXPECT_EQ(dropped(), before);
  }
  void expect_dropped(const NetHeader& header, std::size_t size) {
    const u64 before = dropped();
    send(header, numbered_frame(1, size));
    EXPECT_EQ(dropped(), before + 1);
    EXPECT_FALSE(wire.receive(0, 0)) << size;
  }
};

TEST_F(NetTransmitTest, FramesOfEverySizeArriveWhole) {
  open();
  for (const std::size_t size : {14ul, 60ul, 1514ul, 1524ul, 1525ul, 9014ul, 65550ul}) {
    expect_sent({}, size);
  }
  EXPECT_EQ(net->counters().sent, 7u);
  EXPECT_EQ(net->counters().sent_bytes, 14u + 60 + 1514 + 1524 + 1525 + 9014 + 65550);
  EXPECT_EQ(events.broken, 0u);
}

TEST_F(NetTransmitTest, AFrameInAnyPiecesIsOneFrame) {
  options.queue_size = 256;
  open();
  // One that is copied and one that is not; in the latter's case with few pieces and with many.
  for (const u32 size : {1500u, 5000u}) {
    const std::string frame = numbered_frame(3, size);
    driver(kTransmit).put(kData, NetHeader{});
    put(kData + 12, frame);
    const u32 whole = size + 12;
    for (const u32 piece : {1u, 5u, 11u, 12u, 13u, 40u, 60u, 400u}) {
      std::vector<test::Desc> chain;
      for (u32 at = 0; at < whole; at += chain.back().length) {
        const u32 rest = whole - at;  // what the table has no room for otherwise
        chain.push_back({kData + at, chain.size() == 255 ? rest : std::min(piece, rest)});
      }
      ASSERT_TRUE(driver(kTransmit).add(chain));
      kick(kTransmit);
      ASSERT_TRUE(take(kTransmit));
      const auto received = wire.receive();
      ASSERT_TRUE(received);
      EXPECT_EQ(received->frame, frame) << piece;
    }
  }
}

TEST_F(NetTransmitTest, ABurstKeepsItsOrderAndMakesFewInterrupts) {
  open();
  for (u32 i = 0; i < 60; ++i) add({}, numbered_frame(i, 100 + i), kData + 4096 * i);
  driver(kTransmit).want_interrupt();
  kick(kTransmit);
  for (u32 i = 0; i < 60; ++i) {
    const auto received = wire.receive();
    ASSERT_TRUE(received);
    ASSERT_EQ(received->frame, numbered_frame(i, 100 + i));
    ASSERT_TRUE(take(kTransmit));
  }
  EXPECT_EQ(events.used, 1u) << "the driver asked for one";
}

TEST_F(NetTransmitTest, TheHostGetsTheCheckedCopyOfTheHeader) {
  open();
  NetHeader header{.flags = NetHeader::kNeedsCsum | NetHeader::kDataValid | 0x80,
                   .hdr_len = 77,
                   .gso_size = 88,
                   .csum_start = 34,
                   .csum_offset = 16,
                   .num_buffers = 99};
  send(header, numbered_frame(1, 600));
  const auto received = wire.receive();
  ASSERT_TRUE(received);
  EXPECT_EQ(received->header,
            (NetHeader{.flags = NetHeader::kNeedsCsum, .csum_start = 34, .csum_offset = 16}));
}

TEST_F(NetTransmitTest, SegmentsOf64KiBGoOut) {
  open();
  expect_sent({.flags = NetHeader::kNeedsCsum,
               .gso_type = NetHeader::kGsoTcp4,
               .hdr_len = 54,
               .gso_size = 1448,
               .csum_start = 34,
               .csum_offset = 16},
              kMaxFrameSize);
}

TEST_F(NetTransmitTest, HeadersThatLieAreDropped) {
  open();
  const NetHeader good{.flags = NetHeader::kNeedsCsum,
                       .gso_type = NetHeader::kGsoTcp4,
                       .hdr_len = 54,
                       .gso_size = 1448,
                       .csum_start = 34,
                       .csum_offset = 16};
  expect_sent(good, 4000);
  NetHeader bad = good;
  bad.csum_start = 3999;
  expect_dropped(bad, 4000);
  bad = good;
  bad.csum_start = bad.csum_offset = 0xffff;
  expect_dropped(bad, 4000);
  bad = good;
  bad.gso_size = 0;
  expect_dropped(bad, 4000);
  bad = good;
  bad.flags = 0;
  expect_dropped(bad, 4000);
  bad = good;
  bad.hdr_len = 4001;
  expect_dropped(bad, 4000);
  for (const u8 type : std::initializer_list<u8>{2, 3, 6, 0x80, 0x81, 0xff}) {
    bad = good;
    bad.gso_type = type;
    expect_dropped(bad, 4000);
  }
  EXPECT_EQ(events.broken, 0u);
}

TEST_F(NetTransmitTest, WhatWasNotNegotiatedIsDropped) {
  open(0);
  expect_sent({}, 100);
  expect_dropped({.flags = NetHeader::kNeedsCsum, .csum_start = 34, .csum_offset = 16}, 100);
  expect_dropped({.flags = NetHeader::kNeedsCsum,
                  .gso_type = NetHeader::kGsoTcp4,
                  .gso_size = 1448,
                  .csum_start = 34,
                  .csum_offset = 16},
                 4000);
}

TEST_F(NetTransmitTest, RuntsAndGiantsAreDropped) {
  open();
  for (const std::size_t size : {0u, 1u, 13u, kMaxFrameSize + 1, 200'000u}) {
    expect_dropped({}, size);
  }
  driver(kTransmit).add({{kData, 11}});
  kick(kTransmit);
  ASSERT_TRUE(take(kTransmit));
  driver(kTransmit).add({{kData, 100, kWrite}});
  kick(kTransmit);
  ASSERT_TRUE(take(kTransmit));
  EXPECT_EQ(dropped(), 7u);
  expect_sent({}, 14);
}

TEST_F(NetTransmitTest, FramesLongerThanTheMtuAreDropped) {
  options.mtu = 1500;
  open();
  expect_sent({}, 1514);
  expect_sent({}, 1518);
  expect_dropped({}, 1519);
}

TEST_F(NetTransmitTest, AHostWithoutRoomGetsEverythingLater) {
  const int small = 1;
  ASSERT_EQ(::setsockopt(wire.device[0].get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
  open();
  for (u32 i = 0; i < 60; ++i) add({}, numbered_frame(i, 1000), kData + 4096 * i);
  kick(kTransmit);
  ASSERT_TRUE(take(kTransmit));
  settle();
  EXPECT_LT(net->counters().sent, 60u) << "the test is about a full socket";
  std::vector<std::string> frames;
  for (u32 i = 0; i < 60; ++i) {
    const auto received = wire.receive();
    ASSERT_TRUE(received) << i;
    frames.push_back(received->frame);
  }
  for (u32 i = 0; i < 60; ++i) {
    EXPECT_NE(std::find(frames.begin(), frames.end(), numbered_frame(i, 1000)), frames.end());
  }
  EXPECT_TRUE(comes_true([&] { return net->counters().sent == 60; }));
  EXPECT_EQ(dropped(), 0u);
}

TEST_F(NetTransmitTest, AStopGivesUpWhatTheHostDoesNotTake) {
  const int small = 1;
  ASSERT_EQ(::setsockopt(wire.device[0].get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
  open();
  for (u32 i = 0; i < 60; ++i) add({}, numbered_frame(i, 1000), kData + 4096 * i);
  kick(kTransmit);
  ASSERT_TRUE(take(kTransmit));
  settle();
  const QueuePosition position = halt(kTransmit);
  EXPECT_EQ(position.next_available, position.next_used) << "none is in use";
  EXPECT_EQ(net->counters().sent + dropped(), position.next_used);
  EXPECT_GT(dropped(), 0u);
  drivers[kTransmit].reset();
  while (wire.receive(0, 0)) {
  }
  start(kTransmit);
  expect_sent({}, 100);
}

TEST_F(NetTransmitTest, AHostThatIsGoneCostsTheFramesOnly) {
  open();
  wire.host[0].reset();
  for (u32 i = 0; i < 10; ++i) send({}, numbered_frame(i, 100));
  EXPECT_EQ(net->counters().send_dropped, 10u);
  EXPECT_EQ(events.broken, 0u);
}

TEST_F(NetTransmitTest, WithTheLinkDownFramesAreDropped) {
  open();
  net->set_link(false);
  expect_dropped({}, 100);
  net->set_link(true);
  expect_sent({}, 100);
}

TEST_F(NetTransmitTest, FramesAreLimited) {
  options.tx_frames = TokenBucket(10, 100'000'000, 0);
  open();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) expect_sent({}, 100);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(90));
}

TEST_F(NetTransmitTest, BytesAreLimitedAndAStopDoesNotWaitForThem) {
  options.tx_bytes = TokenBucket(1000, 3'600'000'000'000, 0);
  open();
  expect_sent({}, 1000);
  add({}, numbered_frame(2, 1000));
  kick(kTransmit);
  settle();
  EXPECT_FALSE(driver(kTransmit).take());
  const QueuePosition position = halt(kTransmit);
  EXPECT_EQ(position.next_available, 1) << "the second was not taken";
  drivers[kTransmit].reset();
}

TEST_F(NetTransmitTest, AFrameThatWaitsForALimitGoesWhenItIsTakenAway) {
  options.tx_frames = TokenBucket(1, 3'600'000'000'000, 0);
  open();
  expect_sent({}, 100);
  add({}, numbered_frame(2, 100));
  kick(kTransmit);
  settle();
  net->set_limits({.bytes = {}, .operations = std::optional<TokenBucket>()}, {});
  settle();
  EXPECT_FALSE(driver(kTransmit).take()) << "that was the other direction";
  EXPECT_GE(net->counters().send_throttled, 1u);
  EXPECT_EQ(net->counters().receive_throttled, 0u);
  net->set_limits({}, {.bytes = {}, .operations = std::optional<TokenBucket>()});
  EXPECT_TRUE(take(kTransmit));
}

TEST_F(NetTransmitTest, AChainThatBreaksTheRulesBreaksTheQueueUntilAReset) {
  open();
  driver(kTransmit).add({{u64{1} << 40, 100}});
  kick(kTransmit);
  EXPECT_TRUE(comes_true([&] { return events.broken == 1; }));
  stop(kTransmit);
  start(kTransmit);
  expect_sent({}, 100);
}

TEST_F(NetTransmitTest, StartsAndStopsAgainAndAgain) {
  open();
  for (u32 i = 0; i < 50; ++i) {
    add({}, numbered_frame(i, 100));
    kick(kTransmit);
    stop(kTransmit);
    start(kTransmit);
  }
  while (wire.receive(0, 0)) {
  }
  expect_sent({}, 100);
}

}  // namespace
}  // namespace mote::virtio
