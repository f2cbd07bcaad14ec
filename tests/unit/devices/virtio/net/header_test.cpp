// SPDX-License-Identifier: Apache-2.0
// Which headers pass, against what was negotiated.
#include "devices/virtio/net/header.hpp"

#include <gtest/gtest.h>

namespace mote::virtio {
namespace {

using namespace net_feature;  // NOLINT: this file is about them

constexpr u64 kAll = kHostOffloads | kGuestOffloads | kMtu;

bool sends(NetHeader header, u64 size, u64 features = kAll) {
  return may_send(header, size, {.features = features, .mtu = 1500});
}
bool receives(NetHeader header, u64 size, u64 features = kAll) {
  return may_receive(header, size, {.features = features, .mtu = 1500});
}
NetHeader segments(u8 type) {
  return {.flags = NetHeader::kNeedsCsum,
          .gso_type = type,
          .hdr_len = 54,
          .gso_size = 1448,
          .csum_start = 34,
          .csum_offset = 16};
}

TEST(NetHeaderTest, SizesHaveBoundsAtBothEnds) {
  EXPECT_FALSE(sends({}, 13));
  EXPECT_TRUE(sends({}, 14));
  EXPECT_TRUE(sends({}, 1518));
  EXPECT_FALSE(sends({}, 1519));
  EXPECT_TRUE(sends({}, 1519, kAll & ~kMtu)) << "who was told no MTU keeps none";
  EXPECT_TRUE(sends({}, kMaxFrameSize, 0));
  EXPECT_FALSE(sends({}, kMaxFrameSize + 1, 0));
  EXPECT_FALSE(receives({}, 13));
  EXPECT_FALSE(receives({}, 1519));
  EXPECT_TRUE(sends(segments(NetHeader::kGsoTcp4), kMaxFrameSize)) << "segments have no such bound";
}

TEST(NetHeaderTest, EachKindOfSegmentsNeedsItsFeature) {
  struct Row {
    u8 type;
    u64 send;
    u64 receive;
  };
  for (const Row& row : {Row{NetHeader::kGsoTcp4, kHostTso4, kGuestTso4},
                         Row{NetHeader::kGsoTcp6, kHostTso6, kGuestTso6},
                         Row{NetHeader::kGsoUdp, kHostUso, kGuestUso4 | kGuestUso6}}) {
    EXPECT_TRUE(sends(segments(row.type), 4000, kCsum | row.send)) << +row.type;
    EXPECT_FALSE(sends(segments(row.type), 4000, kAll & ~row.send)) << +row.type;
    EXPECT_FALSE(sends(segments(row.type), 4000, row.send)) << "no checksum";
    EXPECT_TRUE(receives(segments(row.type), 4000, kGuestCsum | row.receive)) << +row.type;
    EXPECT_FALSE(receives(segments(row.type), 4000, kAll & ~row.receive)) << +row.type;
  }
  EXPECT_TRUE(receives(segments(NetHeader::kGsoUdp), 4000, kGuestCsum | kGuestUso4));
  for (const u8 unknown : std::initializer_list<u8>{2, 3, 6, 0x7f, 0x80, 0x81, 0x84, 0xff}) {
    EXPECT_FALSE(sends(segments(unknown), 4000, ~u64{0})) << +unknown;
    EXPECT_FALSE(receives(segments(unknown), 4000, ~u64{0})) << +unknown;
  }
}

TEST(NetHeaderTest, AChecksumLiesInTheFrame) {
  NetHeader header{.flags = NetHeader::kNeedsCsum, .csum_start = 34, .csum_offset = 6};
  EXPECT_FALSE(sends(header, 41));
  EXPECT_TRUE(sends(header, 42));
  EXPECT_FALSE(receives(header, 41));
  EXPECT_TRUE(receives(header, 42));
  EXPECT_FALSE(sends(header, 42, kAll & ~kCsum));
  EXPECT_FALSE(receives(header, 42, kAll & ~kGuestCsum));
  header.csum_start = header.csum_offset = 0xffff;
  EXPECT_FALSE(sends(header, 1000));
}

TEST(NetHeaderTest, WhatDoesNotMatterIsCleared) {
  const NetRules rules{.features = kAll, .mtu = 1500};
  NetHeader header{.flags = 0xfe,
                   .hdr_len = 1,
                   .gso_size = 2,
                   .csum_start = 3,
                   .csum_offset = 4,
                   .num_buffers = 5};
  NetHeader other = header;
  EXPECT_TRUE(may_send(header, 100, rules));
  EXPECT_EQ(header, NetHeader{});
  EXPECT_TRUE(may_receive(other, 100, rules));
  EXPECT_EQ(other, (NetHeader{.flags = NetHeader::kDataValid, .num_buffers = 5}));
  EXPECT_TRUE(may_receive(other, 100, {}));
  EXPECT_EQ(other.flags, 0) << "who knows no checksums is not told of them";
}

TEST(NetHeaderTest, SegmentsHaveASizeAndHeadersThatFit) {
  NetHeader header = segments(NetHeader::kGsoTcp4);
  EXPECT_TRUE(sends(header, 54));
  EXPECT_FALSE(sends(header, 53));
  header.gso_size = 0;
  EXPECT_FALSE(sends(header, 4000));
  EXPECT_FALSE(receives(header, 4000));
  header = segments(NetHeader::kGsoTcp4);
  header.flags = 0;
  EXPECT_FALSE(sends(header, 4000));
  EXPECT_TRUE(receives(header, 4000)) << "the host knows what it does";
}

}  // namespace
}  // namespace mote::virtio
