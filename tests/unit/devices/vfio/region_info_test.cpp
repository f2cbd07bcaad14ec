// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/region_info.hpp"

#include <gtest/gtest.h>
#include <linux/vfio.h>

#include <cstring>

namespace mote::vfio {
namespace {

/// An answer of the kernel: the fixed part, then what `add` appends.
class Answer {
 public:
  explicit Answer(u32 flags) {
    add(vfio_region_info{.flags = flags, .cap_offset = 32, .size = 0x8000, .offset = 0x300000});
  }
  template <class T>
  Answer& add(const T& value) {
    const std::size_t end = bytes_.size();
    bytes_.resize(end + sizeof(T));
    std::memcpy(bytes_.data() + end, &value, sizeof(T));
    return *this;
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

constexpr u32 kMapped = VFIO_REGION_INFO_FLAG_MMAP;
constexpr u32 kWithCapabilities = kMapped | VFIO_REGION_INFO_FLAG_CAPS;

vfio_info_cap_header header(u16 id, u32 next) {
  return {.id = id, .version = 1, .next = next};
}

TEST(RegionInfo, WithoutMapping) {
  const auto info = parse_region_info(Answer(0).bytes());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->region, (Region{0x8000, {}}));
  EXPECT_EQ(info->file_offset, 0x300000u);
}

TEST(RegionInfo, MappableAsAWhole) {
  const auto info = parse_region_info(Answer(kMapped).bytes());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->region, (Region{0x8000, {{0, 0x8000}}}));
}

TEST(RegionInfo, MappableInPiecesBehindAnotherCapability) {
  Answer answer(kWithCapabilities);
  answer.add(header(VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, 40));
  answer.add(header(VFIO_REGION_INFO_CAP_SPARSE_MMAP, 0)).add(u32{2}).add(u32{0});
  answer.add(Area{0, 0x1000}).add(Area{0x2000, 0x6000});
  const auto info = parse_region_info(answer.bytes());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->region, (Region{0x8000, {{0, 0x1000}, {0x2000, 0x6000}}}));
}

TEST(RegionInfo, RefusesWhatLeadsOutOfItselfOrInCircles) {
  EXPECT_FALSE(parse_region_info({}));
  EXPECT_FALSE(parse_region_info(Answer(kWithCapabilities).bytes())) << "no capability is there";
  EXPECT_FALSE(parse_region_info(Answer(kWithCapabilities).add(header(3, 32)).bytes()));
  Answer answer(kWithCapabilities);
  answer.add(header(VFIO_REGION_INFO_CAP_SPARSE_MMAP, 0)).add(u32{2}).add(u32{0});
  answer.add(Area{0, 0x1000});
  EXPECT_FALSE(parse_region_info(answer.bytes())) << "one area of two";
}

}  // namespace
}  // namespace mote::vfio
