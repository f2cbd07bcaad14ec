// SPDX-License-Identifier: Apache-2.0
// The checks between a guest-physical address and bytes, at every edge.
#include "core/guest_memory.hpp"

#include <gtest/gtest.h>

#include <array>

namespace mote {
namespace {

constexpr u64 kMax = ~u64{0};
constexpr Gpa kSecond{4 * kGiB};

/// 64 KiB from 0, a gap, 64 KiB from 4 GiB.
GuestMemory two_regions() {
  const GpaRange ranges[] = {{Gpa(0), 64 * kKiB}, {kSecond, 64 * kKiB}};
  auto memory = GuestMemory::create(ranges);
  CHECK(memory.has_value(), "128 KiB can be mapped");
  return *std::move(memory);
}

/// 64 KiB from 0 and 64 KiB right behind.
GuestMemory adjacent_regions() {
  const GpaRange ranges[] = {{Gpa(0), 64 * kKiB}, {Gpa(64 * kKiB), 64 * kKiB}};
  auto memory = GuestMemory::create(ranges);
  CHECK(memory.has_value(), "128 KiB can be mapped");
  return *std::move(memory);
}

TEST(GuestMemoryTest, StartsZeroedAndKnowsItsSize) {
  const GuestMemory memory = two_regions();
  u64 value = 1;
  EXPECT_TRUE(memory.load(kSecond, value));
  EXPECT_EQ(value, 0u);
  EXPECT_EQ(memory.total_size(), 128 * kKiB);
  EXPECT_EQ(memory.regions().size(), 2u);
}

TEST(GuestMemoryTest, StoreReachesTheRegionOfItsAddress) {
  const GuestMemory memory = two_regions();
  EXPECT_TRUE(memory.store(Gpa(0x10), u32{0x11111111}));
  EXPECT_TRUE(memory.store(Gpa(kSecond.raw() + 0x10), u32{0x22222222}));
  u32 low = 0, high = 0;
  EXPECT_TRUE(memory.load(Gpa(0x10), low));
  EXPECT_TRUE(memory.load(Gpa(kSecond.raw() + 0x10), high));
  EXPECT_EQ(low, 0x11111111u);
  EXPECT_EQ(high, 0x22222222u);
  EXPECT_EQ(memory.regions()[1].mapping.data()[0x10], std::byte{0x22});
}

TEST(GuestMemoryTest, TheLastByteIsRamAndTheNextIsNot) {
  const GuestMemory memory = two_regions();
  u8 byte = 0;
  EXPECT_TRUE(memory.load(Gpa(64 * kKiB - 1), byte));
  EXPECT_FALSE(memory.load(Gpa(64 * kKiB), byte));
  EXPECT_TRUE(memory.load(Gpa(kSecond.raw() + 64 * kKiB - 1), byte));
  EXPECT_FALSE(memory.load(Gpa(kSecond.raw() + 64 * kKiB), byte));
  EXPECT_FALSE(memory.load(Gpa(kSecond.raw() - 1), byte));
}

TEST(GuestMemoryTest, AValueThatStraddlesTheEndIsRefusedWhole) {
  const GuestMemory memory = two_regions();
  EXPECT_FALSE(memory.store(Gpa(64 * kKiB - 7), ~u64{0}));
  u8 byte = 1;
  EXPECT_TRUE(memory.load(Gpa(64 * kKiB - 1), byte));
  EXPECT_EQ(byte, 0);
  EXPECT_TRUE(memory.store(Gpa(64 * kKiB - 8), ~u64{0}));
}

TEST(GuestMemoryTest, NothingWrapsAt2To64) {
  const GuestMemory memory = two_regions();
  u64 value = 0;
  EXPECT_FALSE(memory.load(Gpa(kMax), value));
  EXPECT_FALSE(memory.load(Gpa(kMax - 7), value));
  EXPECT_FALSE(memory.slice(Gpa(8), kMax));
  EXPECT_FALSE(memory.slice(Gpa(8), kMax - 7));
  EXPECT_FALSE(memory.slice(kSecond, kMax - kSecond.raw() + 1));
  EXPECT_FALSE(memory.slice(Gpa(kMax), kMax));
}

TEST(GuestMemoryTest, ASliceDoesNotSpanTheGap) {
  const GuestMemory memory = two_regions();
  EXPECT_FALSE(memory.slice(Gpa(0), kSecond.raw() + 1));
  EXPECT_FALSE(memory.slice(Gpa(1 * kMiB), 1));
}

TEST(GuestMemoryTest, ASliceDoesNotCrossIntoTheNextRegion) {
  const GuestMemory memory = adjacent_regions();
  EXPECT_FALSE(memory.slice(Gpa(64 * kKiB - 1), 2));
  EXPECT_TRUE(memory.slice(Gpa(64 * kKiB), 64 * kKiB));
  EXPECT_TRUE(memory.slice(Gpa(0), 64 * kKiB));
}

TEST(GuestMemoryTest, AnEmptySliceGivesAccessToNothing) {
  const GuestMemory memory = two_regions();
  const auto empty = memory.slice(Gpa(0x100), 0);
  ASSERT_TRUE(empty.has_value());
  EXPECT_EQ(empty->size(), 0u);
  u8 byte = 0;
  EXPECT_FALSE(empty->load(0, byte));
  EXPECT_FALSE(empty->store(0, byte));
  EXPECT_FALSE(memory.slice(Gpa(1 * kMiB), 0)) << "in the gap";
}

TEST(GuestMemoryTest, ZeroBytesAtNoAddressAreFine) {
  const GuestMemory memory = two_regions();
  EXPECT_TRUE(memory.read(Gpa(0x100), {}));
  EXPECT_TRUE(memory.write(Gpa(0x100), {}));
  EXPECT_TRUE(GuestSlice().read(0, {}));
  EXPECT_TRUE(GuestSlice().write(0, {}));
  EXPECT_TRUE(GuestSlice().clear(0, 0));
}

TEST(GuestMemoryTest, WithoutRegionsHasNoRam) {
  auto memory = GuestMemory::create({});
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->total_size(), 0u);
  EXPECT_FALSE(memory->slice(Gpa(0), 0));
}

TEST(GuestMemoryTest, LeavesInPiecesForSystemCalls) {
  const GpaRange ranges[] = {{Gpa(0), 5 * kPageSize}, {Gpa(kMiB), kPageSize}};
  auto memory = GuestMemory::create(ranges);
  ASSERT_TRUE(memory.has_value());
  const std::vector<iovec> pieces = memory->as_iovecs(2 * kPageSize);
  ASSERT_EQ(pieces.size(), 4u);
  const u64 sizes[] = {2 * kPageSize, 2 * kPageSize, kPageSize, kPageSize};
  const Gpa starts[] = {Gpa(0), Gpa(2 * kPageSize), Gpa(4 * kPageSize), Gpa(kMiB)};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(pieces[i].iov_len, sizes[i]);
    EXPECT_EQ(pieces[i].iov_base, memory->slice(starts[i], 1)->as_iovec().iov_base);
  }
}

TEST(GuestMemoryTest, SaysHowMuchCouldNotBeMapped) {
  const GpaRange ranges[] = {{Gpa(0), u64{1} << 62}};
  const auto memory = GuestMemory::create(ranges);
  ASSERT_FALSE(memory.has_value());
  EXPECT_EQ(memory.error().message(),
            "cannot map 4398046511104 MiB of guest RAM: Cannot allocate memory (ENOMEM)");
}

TEST(GuestMemoryTest, SaysHowToGetHugePages) {
  const GpaRange ranges[] = {{Gpa(0), 256 * kGiB}};
  const auto memory = GuestMemory::create(ranges, {.huge_pages = true});
  ASSERT_FALSE(memory.has_value()) << "256 GiB of huge pages on a machine that runs unit tests";
  EXPECT_NE(memory.error().message().find("vm.nr_hugepages"), std::string::npos);
  EXPECT_EQ(memory.error().fault(), Fault::kHost);
}

TEST(GuestSliceTest, OffsetsAreOfTheSliceNotOfTheRegion) {
  const GuestMemory memory = two_regions();
  const auto slice = memory.slice(Gpa(0x1000), 0x10);
  ASSERT_TRUE(slice.has_value());
  EXPECT_TRUE(slice->store(0xc, u32{0xaabbccdd}));
  u32 value = 0;
  EXPECT_TRUE(memory.load(Gpa(0x100c), value));
  EXPECT_EQ(value, 0xaabbccddu);
}

TEST(GuestSliceTest, KeepsToItsEndThoughRamGoesOn) {
  const GuestMemory memory = two_regions();
  const auto slice = memory.slice(Gpa(0x1000), 0x10);
  ASSERT_TRUE(slice.has_value());
  u32 value = 0;
  EXPECT_TRUE(slice->load(0xc, value));
  EXPECT_FALSE(slice->load(0xd, value));
  EXPECT_FALSE(slice->load(0x10, value));
  EXPECT_FALSE(slice->store(0xd, value));
}

TEST(GuestSliceTest, OffsetsDoNotWrap) {
  const GuestMemory memory = two_regions();
  const auto slice = memory.slice(Gpa(0x1000), 0x10);
  ASSERT_TRUE(slice.has_value());
  u32 value = 0;
  EXPECT_FALSE(slice->load(kMax, value));
  EXPECT_FALSE(slice->load(kMax - 3, value));
  EXPECT_FALSE(slice->store(kMax - 1, value));
  EXPECT_FALSE(slice->clear(1, kMax));
  EXPECT_FALSE(slice->clear(kMax, 1));
}

TEST(GuestSliceTest, ClearTakesItsRangeAndNoMore) {
  const GuestMemory memory = two_regions();
  std::array<std::byte, 16> bytes;
  bytes.fill(std::byte{0xee});
  ASSERT_TRUE(memory.write(Gpa(0x1000), bytes));
  const auto slice = memory.slice(Gpa(0x1000), 16);
  ASSERT_TRUE(slice.has_value());
  EXPECT_TRUE(slice->clear(4, 8));
  EXPECT_FALSE(slice->clear(9, 8));
  ASSERT_TRUE(memory.read(Gpa(0x1000), bytes));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(bytes[i], i >= 4 && i < 12 ? std::byte{0} : std::byte{0xee}) << i;
  }
}

TEST(GuestSliceTest, RefusedReadsLeaveTheDestinationAlone) {
  const GuestMemory memory = two_regions();
  u32 value = 0x12345678;
  EXPECT_FALSE(memory.load(Gpa(64 * kKiB - 3), value));
  EXPECT_EQ(value, 0x12345678u);
}

TEST(GuestSliceTest, AsIovecIsTheSameBytes) {
  const GuestMemory memory = two_regions();
  const auto slice = memory.slice(Gpa(0x1000), 0x20);
  ASSERT_TRUE(slice.has_value());
  EXPECT_EQ(slice->as_iovec().iov_base, memory.regions()[0].mapping.data() + 0x1000);
  EXPECT_EQ(slice->as_iovec().iov_len, 0x20u);
}

}  // namespace
}  // namespace mote
