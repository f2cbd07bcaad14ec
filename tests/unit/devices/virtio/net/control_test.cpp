// SPDX-License-Identifier: Apache-2.0
// Commands of the control queue, byte by byte.
#include "devices/virtio/net/control.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "devices/virtio/net/header.hpp"

namespace mote::virtio {
namespace {

using namespace net_feature;  // NOLINT: this file is about them

NetCommand parse(const std::vector<u8>& bytes, u64 features = ~u64{0}, u32 pairs = 8) {
  return parse_net_command(std::as_bytes(std::span(bytes)), {.features = features, .pairs = pairs});
}
bool is_refused(const NetCommand& command) {
  return command.kind == NetCommandKind::kRefused;
}

TEST(NetControlTest, PairsAreALittleEndianNumberInRange) {
  const NetCommand command = parse({4, 0, 8, 0});
  EXPECT_EQ(command.kind, NetCommandKind::kSetPairs);
  EXPECT_EQ(command.pairs, 8);
  EXPECT_TRUE(is_refused(parse({4, 0, 0, 0})));
  EXPECT_TRUE(is_refused(parse({4, 0, 9, 0})));
  EXPECT_TRUE(is_refused(parse({4, 0, 1, 1})));
  EXPECT_TRUE(is_refused(parse({4, 0, 1, 0}, ~kMq)));
}

TEST(NetControlTest, OffloadsAreAmongTheNegotiatedOnes) {
  const NetCommand command = parse({5, 0, 0x82, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(command.kind, NetCommandKind::kSetOffloads);
  EXPECT_EQ(command.offloads, kGuestCsum | kGuestTso4);
  EXPECT_TRUE(is_refused(parse({5, 0, 0x82, 0, 0, 0, 0, 0, 0, 0}, ~kGuestTso4)));
  EXPECT_TRUE(is_refused(parse({5, 0, 0x82, 0, 0, 0, 0, 0, 0, 0}, ~kCtrlGuestOffloads)));
  EXPECT_TRUE(is_refused(parse({5, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}))) << "segments need checksums";
  EXPECT_TRUE(is_refused(parse({5, 0, 0x01, 0, 0, 0, 0, 0, 0, 0}))) << "not the guest's";
  EXPECT_FALSE(is_refused(parse({5, 0, 0, 0, 0, 0, 0, 0, 0, 0})));
}

TEST(NetControlTest, AnAnnouncementHasNoArgument) {
  EXPECT_EQ(parse({3, 0}).kind, NetCommandKind::kAnnounced);
  EXPECT_TRUE(is_refused(parse({3, 0, 0})));
  EXPECT_TRUE(is_refused(parse({3, 1})));
  EXPECT_TRUE(is_refused(parse({3, 0}, ~kGuestAnnounce)));
}

TEST(NetControlTest, OtherSizesAndCommandsAreRefused) {
  EXPECT_TRUE(is_refused(parse({})));
  EXPECT_TRUE(is_refused(parse({4})));
  for (std::size_t size = 2; size < 20; ++size) {
    for (u8 command_class = 0; command_class < 8; ++command_class) {
      std::vector<u8> bytes(size, 0);
      bytes[0] = command_class;
      const bool right = (command_class == 3 && size == 2) || (command_class == 5 && size == 10);
      EXPECT_EQ(is_refused(parse(bytes)), !right) << +command_class << ' ' << size;
      bytes[1] = 1;
      EXPECT_TRUE(is_refused(parse(bytes)));
    }
  }
}

}  // namespace
}  // namespace mote::virtio
