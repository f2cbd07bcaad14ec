// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/msi_view.hpp"

#include <gtest/gtest.h>

#include "core/bus.hpp"

namespace mote::vfio {
namespace {

constexpr MsiShape kPlain{};
constexpr MsiShape kWide{.vectors = 32, .is_64bit = true, .has_masks = true};

pci::ConfigSpace empty_config() {
  return pci::ConfigSpace({}, {});
}

void write(pci::ConfigSpace& config, u32 offset, u32 value) {
  std::array<std::byte, 4> bytes{};
  store_le(bytes, value);
  config.write(offset, bytes);
}

TEST(MsiView, ShapesOfAllKinds) {
  EXPECT_EQ(msi_shape(0), kPlain);
  EXPECT_EQ(msi_shape(0x180 | 5 << 1), kWide);
  EXPECT_EQ(msi_shape(7 << 1).vectors, 32u) << "reserved";
  EXPECT_EQ(msi_shape(0x71).vectors, 1u) << "what is enabled is no part of it";
  EXPECT_EQ((MsiShape{.is_64bit = false, .has_masks = false}.size()), 10u);
  EXPECT_EQ((MsiShape{.is_64bit = true, .has_masks = false}.size()), 14u);
  EXPECT_EQ((MsiShape{.is_64bit = false, .has_masks = true}.size()), 20u);
  EXPECT_EQ((MsiShape{.is_64bit = true, .has_masks = true}.size()), 24u);
}

TEST(MsiView, TheGuestSeesTheShapeAndWritesTheRest) {
  for (const u32 control : {0x0000U, 0x0004U, 0x0080U, 0x0102U, 0x018aU}) {
    pci::ConfigSpace config = empty_config();
    const MsiShape shape = msi_shape(static_cast<u16>(control));
    const u32 at = add_msi(shape, config);
    EXPECT_EQ(config.value(at, 1), 0x05u);
    EXPECT_EQ(config.value(at + 2, 2), control);
    for (u32 offset = at; offset < at + 24; offset += 4) write(config, offset, ~0u);
    EXPECT_EQ(msi_shape(static_cast<u16>(config.value(at + 2, 2))), shape);
    EXPECT_EQ(config.value(at + 2, 2) & 0x71, 0x71u);
    EXPECT_EQ(config.value(at + 4, 4), 0xffff'fffcu);
    EXPECT_EQ(config.value(at + shape.data_offset(), 2), 0xffffu);
    EXPECT_TRUE(!shape.is_64bit || config.value(at + 8, 4) == ~0u);
    if (!shape.has_masks) continue;
    EXPECT_EQ(config.value(at + shape.masks_offset(), 4), (u64{1} << shape.vectors) - 1);
    EXPECT_EQ(config.value(at + shape.pending_offset(), 4), 0u) << "pending bits take nothing";
  }
}

TEST(MsiView, EachVectorHasItsOwnLowestBits) {
  pci::ConfigSpace config = empty_config();
  const u32 at = add_msi(kWide, config);
  write(config, at + 4, 0xfee0'1000);
  write(config, at + 12, 0x4b);
  write(config, at + 16, 0b10);
  write(config, at, 0x0021'0000);  // 4 vectors
  const MsiRegisters registers = read_msi(kWide, config, at);
  EXPECT_TRUE(registers.enabled);
  EXPECT_EQ(registers.vectors, 4u);
  EXPECT_EQ(registers.message_of(0), (MsiMessage{0xfee0'1000, 0, 0x48}));
  EXPECT_EQ(registers.message_of(3).data, 0x4bu);
  EXPECT_EQ(registers.message_of(5).data, 0x49u) << "shared with 1";
  EXPECT_TRUE(registers.is_masked(1));
  EXPECT_TRUE(registers.is_masked(5));
  EXPECT_FALSE(registers.is_masked(0));
}

TEST(MsiView, NoMoreIsEnabledThanThereIs) {
  pci::ConfigSpace config = empty_config();
  const u32 at = add_msi(kPlain, config);
  write(config, at + 8, 0x41);
  write(config, at, 0x0071'0000);
  const MsiRegisters registers = read_msi(kPlain, config, at);
  EXPECT_EQ(registers.vectors, 1u);
  EXPECT_EQ(registers.message_of(0).data, 0x41u) << "of one vector all bits are the guest's";
}

}  // namespace
}  // namespace mote::vfio
