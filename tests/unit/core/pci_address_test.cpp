// SPDX-License-Identifier: Apache-2.0
#include "core/pci_address.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

TEST(PciAddress, IsReadAsSysfsWritesIt) {
  const auto address = parse_pci_address("0000:01:1f.7");
  ASSERT_TRUE(address);
  EXPECT_EQ(*address, (PciAddress{0, 1, 0x1f, 7}));
  EXPECT_EQ(print_pci_address(*address), "0000:01:1f.7");
}

TEST(PciAddress, MayLackTheDomain) {
  const auto address = parse_pci_address("AB:10.0");
  ASSERT_TRUE(address);
  EXPECT_EQ(*address, (PciAddress{0, 0xab, 0x10, 0}));
}

TEST(PciAddress, DomainsMayBeLong) {
  const auto address = parse_pci_address("10000:e1:00.0");
  ASSERT_TRUE(address);
  EXPECT_EQ(print_pci_address(*address), "10000:e1:00.0");
}

TEST(PciAddress, RefusesAllElse) {
  for (const char* const text :
       {"", "01", "01:10", "01:10.", ":01:10.0", "0000:01:20.0", "01:20.0", "0000:01:10.8",
        "0000:100:10.0", "100:10.0", "0000:01:10.0 ", " 0000:01:10.0", "0000:01:10.00", "-1:10.0",
        "0000:01:10:0", "123456789:01:10.0", "../01:10.0", "0000:01:010.0"}) {
    const auto address = parse_pci_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_NE(address.error().message().find("'" + std::string(text) + "'"), std::string::npos);
  }
}

}  // namespace
}  // namespace mote
