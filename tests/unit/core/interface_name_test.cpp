// SPDX-License-Identifier: Apache-2.0
// Which names an interface can have.
#include "core/interface_name.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

std::string refusal(std::string_view name) {
  const auto checked = check_interface_name(name);
  return checked ? "" : checked.error().message();
}

TEST(InterfaceNameTest, NamesOfTheKernelAreTaken) {
  for (const char* name : {"t", "tap0", "vm-web_1", "eth0.5", "...", "123456789012345"}) {
    EXPECT_EQ(refusal(name), "") << name;
  }
}

TEST(InterfaceNameTest, ALongNameIsRefusedForItsLength) {
  EXPECT_EQ(refusal("1234567890123456"),
            "'1234567890123456' is too long for a network interface: 16 bytes, and the kernel "
            "takes 15 -- choose a shorter name");
  EXPECT_LT(refusal(std::string(100'000, 'x')).size(), 250u);
}

TEST(InterfaceNameTest, WhatTheKernelRefusesOrWouldReplaceIsNoName) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a b"), std::string("a/b"),
        std::string("a:1"), std::string("tap%d"), std::string("a\tb"), std::string("a\x7f"),
        std::string("a\0b", 3)}) {
    EXPECT_EQ(refusal(name), "'" + name +
                                 "' is no name of a network interface -- choose up to 15 letters, "
                                 "digits, '_' and '-'");
  }
}

}  // namespace
}  // namespace mote
