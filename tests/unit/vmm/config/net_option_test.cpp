// SPDX-License-Identifier: Apache-2.0
// A network interface in one word: what it takes, and the words for what it refuses.
#include "vmm/config/net_option.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

NetConfig read(std::string_view text) {
  const auto net = parse_net_option(text);
  EXPECT_TRUE(net) << net.error().message();
  return net ? *net : NetConfig{};
}

std::string refusal(std::string_view text) {
  const auto net = parse_net_option(text);
  if (!net) {
    EXPECT_EQ(net.error().fault(), Fault::kConfig);
  }
  return net ? "accepted" : net.error().message();
}

TEST(NetOption, TakesATapAlone) {
  EXPECT_EQ(read("tap0"), (NetConfig{.tap = "tap0"}));
  EXPECT_EQ(read(""), NetConfig{});
}

TEST(NetOption, TakesEveryKey) {
  EXPECT_EQ(
      read("tap0,id=lan,mac=02:00:5e:00:53:01,mtu=9000,queues=4,queue_size=512,transport=mmio"),
      (NetConfig{.id = "lan",
                 .tap = "tap0",
                 .mac = MacAddress{0x02, 0, 0x5e, 0, 0x53, 1},
                 .mtu = 9000,
                 .queues = 4,
                 .queue_size = 512,
                 .transport = Transport::kMmio}));
  EXPECT_EQ(read("tap0,mtu=1,mtu=2").mtu, 2u);
}

TEST(NetOption, TakesDescriptorsInPlaceOfATap) {
  EXPECT_EQ(read("fd=7"), (NetConfig{.fds = {7}}));
  EXPECT_EQ(read("fd=7,fd=9,id=lan"), (NetConfig{.id = "lan", .fds = {7, 9}}));
  EXPECT_EQ(read("tap0,fd=7"), (NetConfig{.tap = "tap0", .fds = {7}})) << "validate refuses it";
}

TEST(NetOption, RefusesValuesOfAnotherKind) {
  for (const char* number : {"", "x", "1x", "-1", "99999999999"}) {
    EXPECT_EQ(refusal("t,queues=" + std::string(number)),
              "queues must be a whole number, not '" + std::string(number) + "'");
    EXPECT_EQ(refusal("fd=" + std::string(number)),
              "fd must be a whole number, not '" + std::string(number) + "'");
  }
  EXPECT_EQ(refusal("t,transport=usb"), "transport must be mmio or pci, not 'usb'");
  EXPECT_EQ(refusal("fd=4294967295"), "fd must be an open descriptor, not '4294967295'");
  EXPECT_EQ(refusal("t,mac=02:00"),
            "'02:00' is no MAC address -- write six pairs of hexadecimal digits, as in "
            "02:00:5e:00:53:01");
}

TEST(NetOption, RefusesUnknownKeys) {
  EXPECT_EQ(refusal("t,queue_sise=4"),
            "unknown key 'queue_sise'; did you mean 'queue_size'? -- fd, id, mac, mtu, queues, "
            "queue_size and transport are known");
  EXPECT_NE(refusal("tap=t"), "accepted");
  EXPECT_NE(refusal("t,,mtu=9000"), "accepted");
}

}  // namespace
}  // namespace mote
