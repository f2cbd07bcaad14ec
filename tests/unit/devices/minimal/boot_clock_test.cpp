// SPDX-License-Identifier: Apache-2.0
// The boot clock passes marks on.
#include "devices/minimal/boot_clock.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote {
namespace {

struct MarkList final : BootClockSink {
  std::vector<u8> marks;
  void mark(u8 mark) override { marks.push_back(mark); }
};

struct BootClockTest : testing::Test {
  MarkList sink;
  BootClock clock{sink};
};

TEST_F(BootClockTest, ByteIsAMark) {
  write8(clock, 0, 1);
  write8(clock, 0, 255);
  EXPECT_EQ(sink.marks, (std::vector<u8>{1, 255}));
}

TEST_F(BootClockTest, ZeroIsNoMark) {
  write8(clock, 0, 0);
  EXPECT_TRUE(sink.marks.empty());
}

TEST_F(BootClockTest, WiderWriteIsNoMark) {
  write_le(clock, 0, 4, 1);
  EXPECT_TRUE(sink.marks.empty());
}

TEST_F(BootClockTest, ReadsAllOnes) {
  EXPECT_EQ(read8(clock, 0), 0xff);
}

}  // namespace
}  // namespace mote
