// SPDX-License-Identifier: Apache-2.0
// Who answers at an address, and what is read where nobody does.
#include "core/bus.hpp"

#include <gtest/gtest.h>

#include <array>

namespace mote {
namespace {

/// Remembers the last access; reads give 0x10, 0x11, ...
struct Recorder final : IoDevice {
  u64 offset = ~u64{0};
  std::size_t width = 0;
  u64 value = 0;
  std::string_view name() const override { return "recorder"; }
  void read(u64 at, std::span<std::byte> data) override {
    offset = at;
    width = data.size();
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(0x10 + i);
  }
  void write(u64 at, std::span<const std::byte> data) override {
    offset = at;
    width = data.size();
    value = load_le(data);
  }
};

struct BusTest : testing::Test {
  Bus bus;
  Recorder first, second, third;

  u64 read(u64 address, std::size_t width) {
    std::array<std::byte, 8> bytes{};
    const auto data = std::span(bytes).first(width);
    answered = bus.read(address, data);
    return load_le(data);
  }
  bool write(u64 address, std::size_t width, u64 value) {
    std::array<std::byte, 8> bytes{};
    const auto data = std::span(bytes).first(width);
    store_le(data, value);
    return bus.write(address, data);
  }
  bool answered = false;
};

TEST_F(BusTest, GivesTheDeviceOffsetAndWidth) {
  bus.add(0x3f8, 8, first);
  for (const std::size_t width : {1u, 2u, 4u, 8u}) {
    EXPECT_EQ(read(0x3f8, width), 0x1716151413121110u & (~u64{0} >> (64 - 8 * width)));
    EXPECT_TRUE(answered);
    EXPECT_EQ(first.offset, 0u);
    EXPECT_EQ(first.width, width);
  }
  EXPECT_TRUE(write(0x3fc, 4, 0xa1b2c3d4));
  EXPECT_EQ(first.offset, 4u);
  EXPECT_EQ(first.value, 0xa1b2c3d4u);
}

TEST_F(BusTest, UnclaimedReadsAreAllOnes) {
  EXPECT_EQ(read(0x3f8, 1), 0xffu);
  EXPECT_FALSE(answered);
  bus.add(0x3f8, 8, first);
  EXPECT_EQ(read(0x3f7, 1), 0xffu);
  EXPECT_EQ(read(0x400, 4), 0xffffffffu);
  EXPECT_EQ(read(0, 8), ~u64{0});
  EXPECT_EQ(read(~u64{0}, 8), ~u64{0});
  EXPECT_FALSE(answered);
  EXPECT_EQ(first.width, 0u);
}

TEST_F(BusTest, UnclaimedWritesVanish) {
  bus.add(0x3f8, 8, first);
  EXPECT_FALSE(write(0x3f7, 1, 1));
  EXPECT_FALSE(write(0x400, 1, 1));
  EXPECT_FALSE(write(~u64{0}, 1, 1));
  EXPECT_EQ(first.width, 0u);
}

TEST_F(BusTest, AccessesThatStraddleAnEndReachNobody) {
  bus.add(0x100, 8, first);
  bus.add(0x108, 8, second);
  EXPECT_EQ(read(0x107, 2), 0xffffu) << "into the neighbour";
  EXPECT_FALSE(write(0x10d, 4, 0)) << "past the end";
  EXPECT_FALSE(write(0xff, 2, 0)) << "from below";
  EXPECT_EQ(first.width, 0u);
  EXPECT_EQ(second.width, 0u);
}

TEST_F(BusTest, TheLastByteBelongsToTheDevice) {
  bus.add(0x100, 8, first);
  read(0x107, 1);
  EXPECT_TRUE(answered);
  EXPECT_EQ(first.offset, 7u);
}

TEST_F(BusTest, OrderOfAddingDoesNotMatter) {
  bus.add(0x200, 0x10, second);
  bus.add(0x300, 0x10, third);
  bus.add(0x100, 0x10, first);
  write(0x105, 1, 1);
  write(0x206, 1, 2);
  write(0x307, 1, 3);
  EXPECT_EQ(first.offset, 5u);
  EXPECT_EQ(second.offset, 6u);
  EXPECT_EQ(third.offset, 7u);
}

TEST_F(BusTest, FillsTheGapBetweenTwoDevices) {
  bus.add(0x100, 0x10, first);
  bus.add(0x120, 0x10, third);
  bus.add(0x110, 0x10, second);
  write(0x110, 1, 1);
  write(0x11f, 1, 1);
  EXPECT_EQ(second.offset, 0xfu);
  EXPECT_EQ(first.width + third.width, 0u);
}

using BusDeathTest = BusTest;

TEST_F(BusDeathTest, OverlapIsABug) {
  bus.add(0x100, 0x10, first);
  EXPECT_DEATH(bus.add(0x100, 0x10, second), "devices do not overlap");
  EXPECT_DEATH(bus.add(0x10f, 1, second), "devices do not overlap");
  EXPECT_DEATH(bus.add(0xf8, 9, second), "devices do not overlap");
  EXPECT_DEATH(bus.add(0x80, 0x1000, second), "devices do not overlap");
}

TEST_F(BusDeathTest, AnEmptyOrWrappingRangeIsABug) {
  EXPECT_DEATH(bus.add(0x100, 0, first), "does not wrap");
  EXPECT_DEATH(bus.add(~u64{0} - 0xf, 0x20, first), "does not wrap");
}

TEST(LittleEndian, LoadTakesTheFirstByteAsTheLowest) {
  const std::array<std::byte, 4> bytes = {std::byte{0x78}, std::byte{0x56}, std::byte{0x34},
                                          std::byte{0x92}};
  EXPECT_EQ(load_le(bytes), 0x92345678u);
  EXPECT_EQ(load_le(std::span(bytes).first(1)), 0x78u);
  EXPECT_EQ(load_le({}), 0u);
}

TEST(LittleEndian, LoadOfMoreThanEightBytesTakesTheFirstEight) {
  std::array<std::byte, 9> bytes{};
  bytes[7] = std::byte{0x80};
  bytes[8] = std::byte{0xff};
  EXPECT_EQ(load_le(bytes), u64{0x80} << 56);
}

TEST(LittleEndian, StoreFillsAllBytes) {
  std::array<std::byte, 10> bytes;
  bytes.fill(std::byte{0xee});
  store_le(bytes, 0x0807060504030201);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(bytes[i], static_cast<std::byte>(i + 1));
  EXPECT_EQ(bytes[8], std::byte{0});
  EXPECT_EQ(bytes[9], std::byte{0});
}

TEST(LittleEndian, NarrowStoreDropsHighBytes) {
  std::array<std::byte, 3> bytes{};
  store_le(std::span(bytes).first(2), 0xaabbccdd);
  EXPECT_EQ(load_le(bytes), 0xccddu);
}

}  // namespace
}  // namespace mote
