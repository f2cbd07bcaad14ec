// SPDX-License-Identifier: Apache-2.0
// What the kernel says of interfaces: read from bytes, and from the kernel itself.
#include "devices/virtio/net/links.hpp"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

#include "tests/unit/devices/virtio/net/network_namespace.hpp"

namespace mote::virtio {
namespace {

/// Bytes of a message, put together as the kernel does.
class Message {
 public:
  template <class T>
  Message& put(const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
    return *this;
  }
  Message& attribute(u16 type, const Message& payload) {
    put(rtattr{static_cast<u16>(sizeof(rtattr) + payload.bytes_.size()), type});
    bytes_.insert(bytes_.end(), payload.bytes_.begin(), payload.bytes_.end());
    return *this;
  }
  template <class T>
  Message& attribute(u16 type, const T& value) {
    put(rtattr{static_cast<u16>(sizeof(rtattr) + sizeof(T)), type});
    return put(value);
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

Message a_tap() {
  const char kind[4] = {'t', 'u', 'n', 0};
  Message data;
  data.attribute(IFLA_TUN_TYPE, u8{IFF_TAP})
      .attribute(IFLA_TUN_MULTI_QUEUE, u8{1})
      .attribute(IFLA_TUN_NUM_QUEUES, u32{2})
      .attribute(IFLA_TUN_NUM_DISABLED_QUEUES, u32{3})
      .attribute(IFLA_TUN_OWNER, u32{1000})
      .attribute(IFLA_TUN_GROUP, u32{7});
  Message info;
  info.attribute(IFLA_INFO_KIND, kind).attribute(IFLA_INFO_DATA, data);
  ifinfomsg link{};
  link.ifi_flags = IFF_UP;
  Message message;
  message.put(link).attribute(IFLA_MTU, u32{9000}).attribute(IFLA_LINKINFO, info);
  return message;
}

TEST(LinksTest, ATapIsReadFromItsMessage) {
  EXPECT_EQ(parse_link(a_tap().bytes()), (LinkFacts{.kind = "tun",
                                                    .up = true,
                                                    .mtu = 9000,
                                                    .carries_frames = true,
                                                    .multi_queue = true,
                                                    .queues = 5,
                                                    .owner = 1000,
                                                    .group = 7}));
}

TEST(LinksTest, AMessageThatEndsEarlySaysLessAndNothingElse) {
  const Message message = a_tap();
  for (std::size_t size = 0; size < message.bytes().size(); ++size) {
    const std::vector<std::byte> part(message.bytes().begin(),
                                      message.bytes().begin() + static_cast<std::ptrdiff_t>(size));
    const LinkFacts facts = parse_link(part);
    EXPECT_TRUE(facts.kind.empty()) << size;
    EXPECT_FALSE(facts.carries_frames) << size;
  }
}

TEST(LinksTest, LengthsThatLieAreNotFollowed) {
  for (const u16 length : {u16{0}, u16{3}, u16{0xffff}}) {
    Message message;
    message.put(ifinfomsg{}).put(rtattr{length, IFLA_MTU}).put(u32{1500});
    EXPECT_EQ(parse_link(message.bytes()), LinkFacts{});
  }
}

TEST(LinksTest, TheKernelTellsOfTapsAndOfWhatIsNone) {
  const std::string obstacle = test::in_network_namespace([] {
    const auto links = Links::open();
    ASSERT_TRUE(links);
    const auto none = links->look_at("t0");
    ASSERT_TRUE(none);
    EXPECT_FALSE(*none);

    ASSERT_TRUE(test::make_tap("t0", IFF_MULTI_QUEUE, 4711));
    const UniqueFd queue = test::open_tun("t0", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE);
    EXPECT_TRUE(links->set_up("t0"));
    EXPECT_TRUE(links->set_mtu("t0", 2000));
    const auto tap = links->look_at("t0");
    ASSERT_TRUE(tap && *tap);
    EXPECT_EQ(**tap, (LinkFacts{.kind = "tun",
                                .up = true,
                                .mtu = 2000,
                                .carries_frames = true,
                                .multi_queue = true,
                                .queues = 1,
                                .owner = 4711}));

    const UniqueFd tun = test::open_tun("t1", IFF_TUN);
    EXPECT_EQ((*links->look_at("t1"))->kind, "tun");
    EXPECT_FALSE((*links->look_at("t1"))->carries_frames);
    EXPECT_EQ((*links->look_at("lo"))->kind, "");
  });
  if (!obstacle.empty()) GTEST_SKIP() << obstacle;
}

TEST(LinksTest, WhatIsNotThereCannotBeSetUp) {
  const auto links = Links::open();
  ASSERT_TRUE(links);
  const auto set = links->set_up("no-such-thing");
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().message(),
            "cannot set interface 'no-such-thing' up: No such device (ENODEV)");
}

}  // namespace
}  // namespace mote::virtio
