// SPDX-License-Identifier: Apache-2.0
// Functions of every shape that BARs and MSI-X come in.
#include <gtest/gtest.h>

#include "tests/unit/devices/vfio/function_fixture.hpp"

namespace mote::vfio {
namespace {

using test::FakeFunction;
using test::kMsixCapability;

constexpr u32 kIsPorts = 0x1;
constexpr u32 kIs32bit = 0x0;
constexpr u32 kIs64bit = 0x4;
constexpr u32 kIsPrefetchable = 0x8;

using Parts = std::vector<std::pair<u32, Area>>;

class VfioShapes : public test::VfioFunction {
 protected:
  /// A device with the BARs of a test, its MSI-X table and its pending bits where the test says:
  /// the lowest three bits of a place are the BAR.
  struct Bar {
    u32 index;
    u64 size;
    u32 flags;
  };
  static std::unique_ptr<FakeFunction> device_with(const std::vector<Bar>& bars, u32 vectors,
                                                   u32 table, u32 pending) {
    auto device = std::make_unique<FakeFunction>();
    device->set_bar(0, 0, 0);
    device->set_bar(3, 0, 0);
    for (const Bar& bar : bars) device->set_bar(bar.index, bar.size, bar.flags);
    device->set(0x72, 2, vectors - 1);
    device->set(0x74, 4, table);
    device->set(0x78, 4, pending);
    return device;
  }
  /// Opens `vector` by way of the table at `offset` of BAR `bar`; whether it delivers.
  bool opens(u32 bar, u64 offset, u32 vector) {
    write_bar(bar, offset + vector * 16, 0xfee0'0000);
    write_bar(bar, offset + vector * 16 + 8, 0x30 + vector);
    write_bar(bar, offset + vector * 16 + 12, 0);
    write_config(kMsixCapability + 2, 0x8000, 2);
    return lines_.delivers[vector];
  }
};

TEST_F(VfioShapes, A32BitBarWithTableAndPendingBitsInOnePageAmongRegisters) {
  create(device_with({{0, 0x4000, kIs32bit}}, 4, 0x1100, 0x1180));
  EXPECT_EQ(direct(), (Parts{{0, {0, 0x1000}}, {0, {0x2000, 0x2000}}}));
  EXPECT_TRUE(opens(0, 0x1100, 3));
  write_bar(0, 0x10fc, 1);
  write_bar(0, 0x1140, 2);
  write_bar(0, 0x1188, 3);
  EXPECT_EQ(device_->memory[0][0x10fc], std::byte{1}) << "before the table";
  EXPECT_EQ(device_->memory[0][0x1140], std::byte{2}) << "behind it";
  EXPECT_EQ(device_->memory[0][0x1188], std::byte{3}) << "behind the pending bits";
  EXPECT_EQ(device_->memory[0][0x1138], std::byte{0}) << "the last vector's data";
}

TEST_F(VfioShapes, APrefetchable64BitBarTakesTwoRegisters) {
  create(device_with({{2, 0x10000, kIs64bit | kIsPrefetchable}}, 8, 0x2, 0x1002));
  EXPECT_TRUE(function_->bars()[2].is_64bit);
  EXPECT_TRUE(function_->bars()[2].is_prefetchable);
  EXPECT_EQ(function_->bars()[3].size, 0u);
  EXPECT_EQ(direct(), (Parts{{2, {0x2000, 0xe000}}}));
  function_->place_bar(2, Gpa(0x48'0000'0000));
  EXPECT_EQ(read_config(0x18), 0xcu);
  EXPECT_EQ(read_config(0x1c), 0x48u);
  write_config(0x1c, ~0u);
  EXPECT_EQ(read_config(0x1c), ~0u) << "its size is asked for";
}

TEST_F(VfioShapes, APrefetchable32BitBar) {
  create(device_with({{1, 0x2000, kIsPrefetchable}}, 1, 0x1, 0x801));
  EXPECT_FALSE(function_->bars()[1].is_64bit);
  EXPECT_TRUE(function_->bars()[1].is_prefetchable);
  EXPECT_EQ(direct(), (Parts{{1, {0x1000, 0x1000}}}));
}

TEST_F(VfioShapes, PortsAreLeftOut) {
  create(device_with({{0, 0x20, kIsPorts}, {5, 0x1000, kIs32bit}}, 2, 0x5, 0x805));
  EXPECT_EQ(function_->bars()[0].size, 0u);
  write_config(0x10, ~0u);
  EXPECT_EQ(read_config(0x10), 0u);
  EXPECT_TRUE(opens(5, 0, 1));
}

TEST_F(VfioShapes, TheRomIsNotShown) {
  auto device = device_with({{0, 0x1000, kIs32bit}}, 2, 0, 0x800);
  device->set(0x30, 4, 0xfffe'0001);
  create(std::move(device));
  EXPECT_EQ(read_config(0x30), 0u);
  write_config(0x30, ~0u);
  EXPECT_EQ(read_config(0x30), 0u);
}

TEST_F(VfioShapes, ABarBelowAPageWithTheTableInIt) {
  create(device_with({{4, 0x200, kIs32bit}}, 16, 0x4, 0x104));
  EXPECT_EQ(function_->bars()[4].size, kPageSize);
  EXPECT_EQ(direct(), Parts{});
  EXPECT_TRUE(opens(4, 0, 15));
  lines_.kept[0] = true;
  EXPECT_EQ(read_bar(4, 0x100), 1u);
  write_bar(4, 0x1fc, 9);
  EXPECT_EQ(read_bar(4, 0x1fc), 9u);
  EXPECT_EQ(read_bar(4, 0x200), ~0u) << "the device ends there";
}

TEST_F(VfioShapes, TableAndPendingBitsInTwoBars) {
  create(device_with({{0, 0x2000, kIs32bit}, {1, 0x2000, kIs32bit}}, 3, 0x1000, 0x1));
  EXPECT_EQ(direct(), (Parts{{0, {0, 0x1000}}, {1, {0x1000, 0x1000}}}));
  EXPECT_TRUE(opens(0, 0x1000, 2));
  lines_.kept[1] = true;
  EXPECT_EQ(read_bar(1, 0), 2u);
  write_bar(1, 0x1000, 5);
  EXPECT_EQ(device_->memory[1][0x1000], std::byte{5}) << "the table's offset, in the other BAR";
}

TEST_F(VfioShapes, ATableOverAPagesEdge) {
  create(device_with({{0, 0x8000, kIs32bit}}, 4, 0x1fe0, 0x4000));
  EXPECT_EQ(direct(), (Parts{{0, {0, 0x1000}}, {0, {0x3000, 0x1000}}, {0, {0x5000, 0x3000}}}));
  EXPECT_TRUE(opens(0, 0x1fe0, 1));
  EXPECT_TRUE(opens(0, 0x1fe0, 2)) << "on the next page";
}

TEST_F(VfioShapes, ATableAtTheEndOfItsBar) {
  create(device_with({{0, 0x2000, kIs32bit}}, 2, 0x1fe0, 0x1fd8));
  EXPECT_EQ(direct(), (Parts{{0, {0, 0x1000}}}));
  EXPECT_TRUE(opens(0, 0x1fe0, 1));
  EXPECT_EQ(read_bar(0, 0x1ff8), 0x31u);
  EXPECT_NE(refusal(device_with({{0, 0x2000, kIs32bit}}, 3, 0x1fe0, 0)).find("MSI-X table"),
            std::string::npos)
      << "one vector more has no room";
}

TEST_F(VfioShapes, OneVector) {
  create(device_with({{0, 0x1000, kIs32bit}}, 1, 0, 0x10));
  EXPECT_EQ(function_->vectors(), 1u);
  EXPECT_EQ(read_config(kMsixCapability + 2, 2), 0u);
  EXPECT_TRUE(opens(0, 0, 0));
}

TEST_F(VfioShapes, AllVectorsThatThereCanBe) {
  create(device_with({{0, 0x20000, kIs32bit}}, 2048, 0, 0x8000));
  EXPECT_EQ(function_->vectors(), Interrupts::kMostVectors);
  EXPECT_EQ(device_->triggers.size(), Interrupts::kMostVectors);
  EXPECT_EQ(direct(), (Parts{{0, {0x9000, 0x17000}}})) << "the whole table is the device's";
  EXPECT_TRUE(opens(0, 0, Interrupts::kMostVectors - 1));
  write_bar(0, u64{Interrupts::kMostVectors} * 16, 0xfee0'0000);
  EXPECT_EQ(lines_.messages.size(), 1u) << "behind what the guest sees there is no vector";
}

TEST_F(VfioShapes, NoMoreVectorsThanTheHostHasInterrupts) {
  auto device = device_with({{0, 0x1000, kIs32bit}}, 32, 0, 0x800);
  device->host_interrupts = 5;
  create(std::move(device));
  EXPECT_EQ(function_->vectors(), 5u);
  EXPECT_EQ(read_config(kMsixCapability + 2, 2), 4u);
  EXPECT_EQ(device_->triggers.size(), 5u);
}

TEST_F(VfioShapes, AHostWithoutInterruptsIsAnError) {
  auto device = std::make_unique<FakeFunction>();
  device->host_interrupts = 0;
  auto function = Function::create(std::move(device));
  ASSERT_TRUE(function);
  const auto connected = (*function)->connect(lines_);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().message(), "the host has no interrupt left for 0000:01:10.0");
}

/// Hundreds of maskings and the same messages again: an irqfd each way, and a route only when a
/// message is another one.
TEST_F(VfioShapes, AVectorHasARouteFromWhenItIsFirstOpened) {
  create(device_with({{0, 0x1000, kIs32bit}}, 8, 0, 0x800));
  write_config(kMsixCapability + 2, 0x8000, 2);
  for (u32 vector = 0; vector < 8; ++vector) write_bar(0, vector * 16, 0xfee0'0000);
  EXPECT_EQ(lines_.message_changes, 0u) << "all are masked";
  EXPECT_TRUE(opens(0, 0, 5));
  EXPECT_EQ(lines_.message_changes, 1u);
  for (int i = 0; i < 200; ++i) {
    write_bar(0, 5 * 16 + 12, 1);
    write_bar(0, 5 * 16, 0xfee0'0000);
    write_bar(0, 5 * 16 + 8, 0x35);
    write_bar(0, 5 * 16 + 12, 0);
  }
  EXPECT_EQ(lines_.message_changes, 1u);
  EXPECT_EQ(lines_.changes, 401u);
  EXPECT_EQ(lines_.messages.size(), 1u);
}

}  // namespace
}  // namespace mote::vfio
