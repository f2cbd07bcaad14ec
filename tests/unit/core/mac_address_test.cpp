// SPDX-License-Identifier: Apache-2.0
// MAC addresses: which texts are some, and what an interface gets that was given none.
#include "core/mac_address.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mote {
namespace {

TEST(MacAddressTest, SixPairsOfDigitsAreReadInTheirOrder) {
  const auto mac = parse_mac("02:00:5e:aB:Cd:ff");
  ASSERT_TRUE(mac) << mac.error().message();
  EXPECT_EQ(*mac, (MacAddress{0x02, 0x00, 0x5e, 0xab, 0xcd, 0xff}));
  EXPECT_EQ(print_mac(*mac), "02:00:5e:ab:cd:ff");
}

TEST(MacAddressTest, WhatIsNoneIsRefusedInWords) {
  for (const char* text :
       {"", "02:00:5e:00:53", "02:00:5e:00:53:01:02", "02-00-5e-00-53-01", "2:0:5e:0:53:1",
        "02:00:5e:00:53:0g", "02:00:5e:00:53:-1", "02:00:5e:00:53:0x", "0x:00:5e:00:53:01",
        "02:00:5e:00:5301:", " 2:00:5e:00:53:01", "+2:00:5e:00:53:01"}) {
    const auto mac = parse_mac(text);
    ASSERT_FALSE(mac) << text;
    EXPECT_EQ(mac.error().message(), "'" + std::string(text) +
                                         "' is no MAC address -- write six pairs of hexadecimal "
                                         "digits, as in 02:00:5e:00:53:01");
    EXPECT_EQ(mac.error().fault(), Fault::kConfig);
  }
  EXPECT_LT(parse_mac(std::string(10'000, 'a')).error().message().size(), 200u);
}

TEST(MacAddressTest, GroupsAndNobodyAreNoInterface) {
  EXPECT_TRUE(is_unicast({0x02, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(is_unicast({0, 0, 0, 0, 0, 1}));
  EXPECT_FALSE(is_unicast({}));
  EXPECT_FALSE(is_unicast({0x01, 0, 0x5e, 0, 0, 1}));
  EXPECT_FALSE(is_unicast({0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
}

TEST(MacAddressTest, ADefaultIsLocalUnicastAndTheSameAgain) {
  std::set<MacAddress> seen;
  for (int id = 0; id < 50; ++id) {
    for (int tap = 0; tap < 50; ++tap) {
      const std::string names[] = {"net" + std::to_string(id), "tap" + std::to_string(tap)};
      const MacAddress mac = default_mac(names[0], names[1]);
      EXPECT_EQ(mac[0] & 3, 2);
      EXPECT_EQ(mac, default_mac(names[0], names[1]));
      EXPECT_TRUE(seen.insert(mac).second) << names[0] << names[1];
    }
  }
}

TEST(MacAddressTest, ADefaultStaysAsItIsFromVersionToVersion) {
  EXPECT_EQ(print_mac(default_mac("net0", "tap0")), "ea:8d:89:49:df:80");
  EXPECT_NE(default_mac("ab", "c"), default_mac("a", "bc"));
}

}  // namespace
}  // namespace mote
