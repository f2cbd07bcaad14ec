// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/unplug.hpp"

#include <gtest/gtest.h>

#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote::pci {
namespace {

struct Ejected final : EjectSink {
  void eject(u32 devices) override { all.push_back(devices); }
  std::vector<u32> all;
};

struct UnplugTest : testing::Test {
  FakeLine line;
  Ejected ejected;
  UnplugPorts ports{line, ejected};
};

TEST_F(UnplugTest, AsksUntilTheGuestTakesNotice) {
  EXPECT_EQ(read_le(ports, 0, 4), 0u);
  ports.ask(3);
  ports.ask(31);
  EXPECT_EQ(line.rises, 2u);
  EXPECT_FALSE(line.high);
  EXPECT_EQ(read_le(ports, 0, 4), 1u << 3 | 1u << 31);
  EXPECT_EQ(read_le(ports, 0, 4), 1u << 3 | 1u << 31);
  write_le(ports, 0, 4, 1u << 3 | 1u << 4);
  EXPECT_EQ(read_le(ports, 0, 4), 1u << 31);
  ports.ask(3);
  EXPECT_EQ(line.rises, 3u) << "once more";
  EXPECT_EQ(read_le(ports, 0, 4), 1u << 3 | 1u << 31);
  EXPECT_TRUE(ejected.all.empty());
}

TEST_F(UnplugTest, HearsWhatIsEjected) {
  write_le(ports, 4, 4, 1u << 5);
  write_le(ports, 4, 4, 0xffff'ffff);
  EXPECT_EQ(ejected.all, (std::vector<u32>{1u << 5, 0xffff'ffff}));
  EXPECT_EQ(read_le(ports, 4, 4), 0xffff'ffffu);
}

TEST_F(UnplugTest, KnowsNoOtherAccesses) {
  ports.ask(1);
  for (u64 offset = 0; offset < UnplugPorts::kPortCount; ++offset) {
    for (const std::size_t width : {1u, 2u}) {
      write_le(ports, offset, width, 0xffff'ffff);
      EXPECT_EQ(read_le(ports, offset, width), (u64{1} << 8 * width) - 1) << offset;
    }
  }
  for (const u64 offset : {1u, 2u, 3u}) write_le(ports, offset, 4, 0xffff'ffff);
  EXPECT_EQ(read_le(ports, 0, 4), 1u << 1);
  EXPECT_TRUE(ejected.all.empty());
}

}  // namespace
}  // namespace mote::pci
