// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/iova_ranges.hpp"

#include <gtest/gtest.h>
#include <linux/vfio.h>

#include <cstring>

namespace mote::vfio {
namespace {

constexpr IovaRange kBelowMessages{0, 0xfedf'ffff};
constexpr IovaRange kAboveMessages{0xfef0'0000, 0x7f'ffff'ffff};
constexpr IovaRange kRanges[] = {kBelowMessages, kAboveMessages};

template <class T>
void add(std::vector<std::byte>& bytes, const T& value) {
  const std::size_t end = bytes.size();
  bytes.resize(end + sizeof(T));
  std::memcpy(bytes.data() + end, &value, sizeof(T));
}

std::vector<std::byte> answer(u32 count) {
  std::vector<std::byte> bytes;
  vfio_iommu_type1_info info{};
  info.flags = VFIO_IOMMU_INFO_CAPS;
  info.cap_offset = sizeof(info) + sizeof(vfio_info_cap_header);
  add(bytes, info);
  add(bytes, vfio_info_cap_header{});
  add(bytes, vfio_info_cap_header{.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, .version = 1});
  add(bytes, count);
  add(bytes, u32{0});
  for (const IovaRange& range : kRanges) add(bytes, range);
  return bytes;
}

TEST(IovaRanges, AreReadAsTheKernelWritesThem) {
  EXPECT_EQ(parse_iova_ranges(answer(2)), (std::vector<IovaRange>{kBelowMessages, kAboveMessages}));
}

TEST(IovaRanges, AreNoneWhereTheKernelDoesNotSay) {
  EXPECT_TRUE(parse_iova_ranges(answer(3)).empty()) << "cut short";
  EXPECT_TRUE(parse_iova_ranges({}).empty());
  std::vector<std::byte> bytes;
  add(bytes, vfio_iommu_type1_info{});
  EXPECT_TRUE(parse_iova_ranges(bytes).empty());
}

TEST(IovaRanges, RamHasToBeInThem) {
  EXPECT_FALSE(first_gap({Gpa(0), 3 * kGiB}, kRanges));
  EXPECT_FALSE(first_gap({Gpa(4 * kGiB), 64 * kGiB}, kRanges));
  EXPECT_EQ(first_gap({Gpa(0), 4 * kGiB}, kRanges), Gpa(0xfee0'0000));
  EXPECT_EQ(first_gap({Gpa(4 * kGiB), 600 * kGiB}, kRanges), Gpa(0x80'0000'0000));
  EXPECT_EQ(first_gap({Gpa(u64{1} << 40), kMiB}, kRanges), Gpa(u64{1} << 40));
}

TEST(IovaRanges, ThatTouchAreOne) {
  const IovaRange ranges[] = {{0, kMiB - 1}, {kMiB, ~u64{0}}};
  EXPECT_FALSE(first_gap({Gpa(0), u64{1} << 52}, ranges));
}

}  // namespace
}  // namespace mote::vfio
