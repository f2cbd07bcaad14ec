// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/config_space.hpp"

#include <gtest/gtest.h>

#include "core/bus.hpp"

namespace mote::pci {
namespace {

constexpr Identity kIdentity = {.vendor = 0x1af4,
                                .device = 0x1042,
                                .subsystem_vendor = 0x1af5,
                                .subsystem = 0x0042,
                                .revision = 1,
                                .class_code = 0x018000};
constexpr Bars kBars = {Bar{.size = 0x8000, .is_64bit = true}, Bar{}, Bar{.size = 0x1000},
                        Bar{.size = 4 * kGiB, .is_64bit = true, .is_prefetchable = true}};

struct ConfigSpaceTest : testing::Test {
  ConfigSpace config{kIdentity, kBars};

  u32 get(u32 offset, u32 size = 4) { return config.value(offset, size); }
  void set(u32 offset, u32 size, u32 value) {
    std::byte bytes[4];
    store_le(std::span(bytes, size), value);
    config.write(offset, std::span<const std::byte>(bytes, size));
  }
};

TEST_F(ConfigSpaceTest, TellsWhoTheFunctionIs) {
  EXPECT_EQ(get(0x00), 0x10421af4u);
  EXPECT_EQ(get(0x08), 0x01800001u);
  EXPECT_EQ(get(0x2c), 0x00421af5u);
  EXPECT_EQ(get(0x0e, 1), 0u) << "header type 0, one function";
  EXPECT_EQ(get(0x3d, 1), 0u) << "no interrupt pin";
  EXPECT_EQ(get(0x06, 2), 0u) << "no capabilities yet";
}

TEST_F(ConfigSpaceTest, MostOfItTakesNothing) {
  for (u32 offset = 0; offset < ConfigSpace::kSize; offset += 4) set(offset, 4, ~u32{0});
  EXPECT_EQ(get(0x00), 0x10421af4u);
  EXPECT_EQ(get(0x04), 0x00000406u) << "memory, bus master, no pin";
  EXPECT_EQ(get(0x08), 0x01800001u);
  EXPECT_EQ(get(0x0c), 0x000000ffu);
  EXPECT_EQ(get(0x2c), 0x00421af5u);
  EXPECT_EQ(get(0x30), 0u) << "no expansion ROM";
  EXPECT_EQ(get(0x3c), 0x000000ffu);
  EXPECT_EQ(get(0x40), 0u);
}

TEST_F(ConfigSpaceTest, OnesTellABarsSize) {
  for (u32 offset = 0x10; offset < 0x28; offset += 4) set(offset, 4, ~u32{0});
  EXPECT_EQ(get(0x10), 0xffff8004u);
  EXPECT_EQ(get(0x14), 0xffffffffu);
  EXPECT_EQ(get(0x18), 0xfffff000u);
  EXPECT_EQ(get(0x1c), 0x0000000cu);
  EXPECT_EQ(get(0x20), 0xffffffffu);
  EXPECT_EQ(get(0x24), 0u) << "there is no BAR 5";
}

TEST_F(ConfigSpaceTest, ABarAnswersAtHomeWhileMemoryIsDecoded) {
  config.place_bar(0, Gpa(0x1'c000'8000));
  config.place_bar(2, Gpa(0xc000'0000));
  EXPECT_EQ(get(0x10), 0xc0008004u);
  EXPECT_EQ(get(0x14), 1u);
  EXPECT_EQ(get(0x18), 0xc0000000u);
  EXPECT_FALSE(config.answers(0)) << "as after power-on";
  set(0x04, 2, 2);
  EXPECT_TRUE(config.answers(0));
  EXPECT_TRUE(config.answers(2));
  EXPECT_FALSE(config.answers(1)) << "upper half of BAR 0";
  EXPECT_FALSE(config.answers(5)) << "there is none";
  set(0x14, 4, 0);
  EXPECT_FALSE(config.answers(0)) << "moved away";
  EXPECT_TRUE(config.answers(2));
  set(0x14, 1, 1);
  EXPECT_TRUE(config.answers(0)) << "moved back, by a byte";
  set(0x10, 4, 0xc000'ffff);
  EXPECT_TRUE(config.answers(0)) << "the lower bits are not the address's";
  set(0x04, 1, 0);
  EXPECT_FALSE(config.answers(0));
}

TEST_F(ConfigSpaceTest, CapabilitiesAreAChain) {
  const u8 first_body[] = {1, 2, 3};
  const u8 second_body[] = {4, 5};
  const u8 writable[] = {0, 0x80};
  const u32 first = config.add_capability(9, first_body);
  const u32 second = config.add_capability(0x11, second_body, writable);
  EXPECT_EQ(get(0x06, 2), 0x10u);
  EXPECT_EQ(get(0x34, 1), first);
  EXPECT_EQ(get(first, 1), 9u);
  EXPECT_EQ(get(first + 1, 1), second);
  EXPECT_EQ(second % 4, 0u);
  EXPECT_EQ(get(first + 2, 2), 0x0201u);
  EXPECT_EQ(get(second + 1, 1), 0u);
  set(second, 4, ~u32{0});
  EXPECT_EQ(get(second, 4), 0x85040011u);
}

TEST_F(ConfigSpaceTest, BehindItsEndThereIsNothing) {
  std::byte bytes[4] = {std::byte{1}, std::byte{1}, std::byte{1}, std::byte{1}};
  for (const u32 offset : {0x100u, 0xffcu}) {
    config.write(offset, bytes);
    config.read(offset, bytes);
    EXPECT_EQ(load_le(bytes), 0u);
  }
}

TEST_F(ConfigSpaceTest, AStateComesBackAndChangesNothingElse) {
  config.place_bar(0, Gpa(0xc000'0000));
  set(0x04, 2, 6);
  const ConfigSpace::State state = config.save();
  ConfigSpace other(kIdentity, kBars);
  other.place_bar(0, Gpa(0xc000'0000));
  other.restore(state);
  EXPECT_EQ(other.save(), state);
  EXPECT_TRUE(other.answers(0));
  ConfigSpace::State hostile;
  hostile.bytes.fill(0xff);
  other.restore(hostile);
  EXPECT_EQ(other.value(0, 4), 0x10421af4u);
  EXPECT_FALSE(other.answers(0));
}

}  // namespace
}  // namespace mote::pci
