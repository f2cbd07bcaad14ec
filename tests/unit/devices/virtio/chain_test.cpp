// SPDX-License-Identifier: Apache-2.0
// Chains as drivers lay them out, and as hostile ones do.
#include "devices/virtio/chain.hpp"

#include <gtest/gtest.h>

#include <array>

#include "tests/unit/devices/virtio/test_driver.hpp"

namespace mote::virtio {
namespace {

using test::Desc;
using test::kIndirect;
using test::kNext;
using test::kWrite;

constexpr u16 kSize = 8;
constexpr u64 kTable = 0x1000, kIndirectTable = 0x4000, kData = 0x8000;

struct ChainTest : testing::Test {
  GuestMemory memory = test::make_ram();
  Chain chain{kSize};
  bool indirect = true;

  void write(u16 index, const Desc& descriptor, u64 table = kTable) {
    CHECK(memory.store(Gpa(table + 16u * index), descriptor), "in RAM");
  }
  bool read(u16 head = 0) {
    const auto table = memory.slice(Gpa(kTable), 16u * kSize);
    return chain.read(memory, *table, kSize, head, indirect);
  }
  u64 segments() const { return chain.readable().size() + chain.writable().size(); }
};

TEST_F(ChainTest, ReadableSegmentsComeFirst) {
  write(3, {kData, 16, kNext, 5});
  write(5, {kData + 16, 100, kNext | kWrite, 0});
  write(0, {kData + 512, 1, kWrite, 0});
  ASSERT_TRUE(read(3));
  EXPECT_EQ(chain.head(), 3);
  EXPECT_EQ(chain.readable().size(), 1u);
  EXPECT_EQ(chain.writable().size(), 2u);
  EXPECT_EQ(chain.readable_size(), 16u);
  EXPECT_EQ(chain.writable_size(), 101u);
  EXPECT_EQ(chain.writable()[1].size(), 1u);
}

TEST_F(ChainTest, ASegmentIsTheRamOfItsAddress) {
  CHECK(memory.store(Gpa(kData), u32{0x12345678}), "in RAM");
  write(0, {kData, 4, 0, 0});
  ASSERT_TRUE(read());
  u32 value = 0;
  EXPECT_TRUE(chain.readable()[0].load(0, value));
  EXPECT_EQ(value, 0x12345678u);
}

TEST_F(ChainTest, IsReadAnewEachTime) {
  write(0, {kData, 16, kNext, 1});
  write(1, {kData, 16, kWrite, 0});
  write(2, {kData, 7, 0, 0});
  ASSERT_TRUE(read(0));
  ASSERT_TRUE(read(2));
  EXPECT_EQ(segments(), 1u);
  EXPECT_EQ(chain.readable_size(), 7u);
  EXPECT_EQ(chain.writable_size(), 0u);
}

TEST_F(ChainTest, AsManySegmentsAsTheQueueHasEntries) {
  for (u16 i = 0; i < kSize; ++i) {
    const bool last = i + 1 == kSize;
    write(i, {kData + i, 1, static_cast<u16>(last ? 0 : kNext), static_cast<u16>(i + 1)});
  }
  ASSERT_TRUE(read());
  EXPECT_EQ(segments(), kSize);
}

TEST_F(ChainTest, UndefinedFlagsAreIgnored) {
  write(0, {kData, 1, 0xfff8, 0});
  EXPECT_TRUE(read());
}

// Broken chains ----------------------------------------------------------------------------------

TEST_F(ChainTest, LoopsAreRefused) {
  write(0, {kData, 16, kNext, 0});
  EXPECT_FALSE(read()) << "to itself";
  write(0, {kData, 16, kNext, 1});
  write(1, {kData, 16, kNext, 0});
  EXPECT_FALSE(read()) << "of two";
}

TEST_F(ChainTest, IndicesOutOfRangeAreRefused) {
  write(0, {kData, 16, kNext, kSize});
  EXPECT_FALSE(read());
  write(0, {kData, 16, kNext, 0xffff});
  EXPECT_FALSE(read());
  EXPECT_FALSE(read(kSize));
  EXPECT_FALSE(read(0xffff));
}

TEST_F(ChainTest, SegmentsOutsideRamAreRefused) {
  for (const u64 address : {kMiB, kMiB - 15, u64{1} << 40, ~u64{0}, ~u64{0} - 15}) {
    write(0, {address, 16, 0, 0});
    EXPECT_FALSE(read()) << address;
  }
  write(0, {kMiB - 16, 16, 0, 0});
  EXPECT_TRUE(read());
  write(0, {0, 0xffffffff, 0, 0});
  EXPECT_FALSE(read());
}

TEST_F(ChainTest, ZeroLengthIsRefused) {
  write(0, {kData, 0, 0, 0});
  EXPECT_FALSE(read());
}

TEST_F(ChainTest, ReadableBehindWritableIsRefused) {
  write(0, {kData, 16, kNext | kWrite, 1});
  write(1, {kData, 16, 0, 0});
  EXPECT_FALSE(read());
}

TEST_F(ChainTest, MoreThanFourGiBInTotalIsRefused) {
  const GpaRange ranges[] = {{Gpa(0), 4 * kGiB}};  // not touched
  auto large = GuestMemory::create(ranges);
  ASSERT_TRUE(large);
  const auto table = large->slice(Gpa(kTable), 16u * kSize);
  const auto store = [&](u16 index, const Desc& descriptor) {
    ASSERT_TRUE(large->store(Gpa(kTable + 16u * index), descriptor));
  };
  store(0, {0, 0x80000000, kNext, 1});
  store(1, {0, 0x80000000, kWrite, 0});
  EXPECT_TRUE(chain.read(*large, *table, kSize, 0, true));
  store(1, {0, 0x80000000, kNext | kWrite, 2});
  store(2, {0, 1, kWrite, 0});
  EXPECT_FALSE(chain.read(*large, *table, kSize, 0, true));
}

// Indirect tables --------------------------------------------------------------------------------

TEST_F(ChainTest, AnIndirectTableStandsForTheChain) {
  write(2, {kIndirectTable, 48, kIndirect, 0});
  write(0, {kData, 16, kNext, 2}, kIndirectTable);
  write(2, {kData, 512, kNext | kWrite, 1}, kIndirectTable);
  write(1, {kData, 1, kWrite, 0}, kIndirectTable);
  ASSERT_TRUE(read(2));
  EXPECT_EQ(chain.head(), 2);
  EXPECT_EQ(chain.readable_size(), 16u);
  EXPECT_EQ(chain.writable_size(), 513u);
}

TEST_F(ChainTest, TheWriteFlagOfATableIsIgnoredAndItMayFollowDescriptors) {
  write(0, {kData, 16, kNext, 1});
  write(1, {kIndirectTable, 16, kIndirect | kWrite, 0});
  write(0, {kData, 8, 0, 0}, kIndirectTable);
  ASSERT_TRUE(read());
  EXPECT_EQ(chain.readable().size(), 2u);
}

TEST_F(ChainTest, IndirectNeedsTheFeature) {
  indirect = false;
  write(0, {kIndirectTable, 16, kIndirect, 0});
  write(0, {kData, 8, 0, 0}, kIndirectTable);
  EXPECT_FALSE(read());
}

TEST_F(ChainTest, TablesOfWrongLengthAreRefused) {
  write(0, {kData, 8, 0, 0}, kIndirectTable);
  for (const u32 length : {0u, 1u, 15u, 17u, 16u * kSize + 16u, 0xfffffff0u, 0xffffffffu}) {
    write(0, {kIndirectTable, length, kIndirect, 0});
    EXPECT_FALSE(read()) << length;
  }
  write(0, {kIndirectTable, 16u * kSize, kIndirect, 0});
  EXPECT_TRUE(read());
}

TEST_F(ChainTest, TablesOutsideRamAreRefused) {
  for (const u64 address : {kMiB, kMiB - 15, ~u64{0} - 7}) {
    write(0, {address, 16, kIndirect, 0});
    EXPECT_FALSE(read()) << address;
  }
}

TEST_F(ChainTest, ATableWithNextIsRefused) {
  write(0, {kIndirectTable, 16, kIndirect | kNext, 1});
  write(0, {kData, 8, 0, 0}, kIndirectTable);
  write(1, {kData, 8, 0, 0});
  EXPECT_FALSE(read());
}

TEST_F(ChainTest, ATableInATableIsRefused) {
  write(0, {kIndirectTable, 16, kIndirect, 0});
  write(0, {kIndirectTable + 64, 16, kIndirect, 0}, kIndirectTable);
  write(0, {kData, 8, 0, 0}, kIndirectTable + 64);
  EXPECT_FALSE(read());
  write(0, {kIndirectTable, 16, kIndirect, 0}, kIndirectTable);
  EXPECT_FALSE(read()) << "to itself";
}

TEST_F(ChainTest, IndicesInATableStayInIt) {
  write(0, {kIndirectTable, 32, kIndirect, 0});
  write(0, {kData, 8, kNext, 2}, kIndirectTable);
  write(2, {kData, 8, 0, 0}, kIndirectTable);
  EXPECT_FALSE(read());
}

TEST_F(ChainTest, DescriptorsAndTableTogetherAreNoMoreThanTheQueueHas) {
  write(0, {kData, 1, kNext, 1});
  write(1, {kIndirectTable, 16u * kSize, kIndirect, 0});
  for (u16 i = 0; i < kSize; ++i) {
    const bool last = i + 1 == kSize;
    write(i, {kData, 1, static_cast<u16>(last ? 0 : kNext), static_cast<u16>(i + 1)},
          kIndirectTable);
  }
  EXPECT_FALSE(read());
  write(kSize - 2, {kData, 1, 0, 0}, kIndirectTable);
  EXPECT_TRUE(read());
}

// Gather -----------------------------------------------------------------------------------------

TEST_F(ChainTest, GatherJoinsSingleBytes) {
  for (u16 i = 0; i < 4; ++i) {
    CHECK(memory.store(Gpa(kData + 8u * i), static_cast<u8>(i + 1)), "in RAM");
    write(i, {kData + 8u * i, 1, static_cast<u16>(i == 3 ? 0 : kNext), static_cast<u16>(i + 1)});
  }
  ASSERT_TRUE(read());
  std::array<std::byte, 4> out{};
  ASSERT_TRUE(gather(chain.readable(), out));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(out[i], std::byte(i + 1));
  std::array<std::byte, 5> more{};
  EXPECT_FALSE(gather(chain.readable(), more));
  EXPECT_TRUE(gather(chain.readable(), {}));
}

}  // namespace
}  // namespace mote::virtio
