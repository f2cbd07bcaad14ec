// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/config_view.hpp"

#include <gtest/gtest.h>

#include "tests/unit/devices/vfio/fake_function.hpp"

namespace mote::vfio {
namespace {

using test::FakeFunction;

constexpr pci::Bars kNoBars{};

std::vector<u8> visible_ids(const Snapshot& snapshot) {
  pci::ConfigSpace config(read_identity(snapshot), kNoBars);
  add_capabilities(snapshot, config);
  std::vector<u8> ids;
  for (u32 at = config.value(0x34, 1); at != 0; at = config.value(at + 1, 1)) {
    ids.push_back(static_cast<u8>(config.value(at, 1)));
  }
  return ids;
}

TEST(ConfigView, ListsCapabilitiesWithTheirSizes) {
  const FakeFunction device;
  EXPECT_EQ(list_capabilities(device.config),
            (std::vector<Capability>{{0x11, 0x70, 12}, {0x10, 0xa0, 0x28}, {0x01, 0xc8, 8}}));
}

TEST(ConfigView, AListInACircleEnds) {
  FakeFunction device;
  device.set(0xc9, 1, 0x70);
  EXPECT_EQ(list_capabilities(device.config).size(), 3u);
  device.set(0x71, 1, 0x70);
  EXPECT_EQ(list_capabilities(device.config).size(), 1u);
}

TEST(ConfigView, AListThatIsNotThereIsNotRead) {
  FakeFunction device;
  device.set(0x06, 2, 0);
  EXPECT_TRUE(list_capabilities(device.config).empty());
}

TEST(ConfigView, ACapabilityAtTheEndIsCutThere) {
  FakeFunction device;
  device.set(0x34, 1, 0xfc);
  device.set(0xfc, 4, 0x00ff'0009);  // vendor specific, says 255 bytes
  EXPECT_EQ(list_capabilities(device.config), (std::vector<Capability>{{0x09, 0xfc, 4}}));
}

TEST(ConfigView, ShowsWhatAGuestCanHave) {
  FakeFunction device;
  EXPECT_EQ(visible_ids(device.config), (std::vector<u8>{0x10, 0x01}));
  for (const u32 hidden :
       {0x03U, 0x04U, 0x05U, 0x06U, 0x08U, 0x0cU, 0x0dU, 0x12U, 0x14U, 0x00U, 0xffU}) {
    device.set(0xa0, 1, hidden);
    EXPECT_EQ(visible_ids(device.config), (std::vector<u8>{0x01})) << hidden;
  }
}

TEST(ConfigView, PassesBodiesOfCapabilitiesOnly) {
  const FakeFunction device;
  pci::ConfigSpace config(read_identity(device.config), kNoBars);
  EXPECT_EQ(add_capabilities(device.config, config), (std::vector<Passage>{{0x42, 0xa2, 0x26}}));
}

TEST(ConfigView, PowerManagementStaysWithTheGuest) {
  FakeFunction device;
  device.set(0xcc, 4, 0x0000'8103);  // D3, events on
  pci::ConfigSpace config(read_identity(device.config), kNoBars);
  add_capabilities(device.config, config);
  const u32 at = config.value(0x41, 1);
  EXPECT_EQ(config.value(at + 2, 2), 0x0703u) << "no events";
  EXPECT_EQ(config.value(at + 4, 2), 0x0008u) << "on, and as it was after sleep";
  const u16 sleep = 0xffff;
  config.write(at + 4, std::as_bytes(std::span(&sleep, 1)));
  EXPECT_EQ(config.value(at + 4, 2), 0x000bu);
}

TEST(ConfigView, IdentityIsTheDevices) {
  const FakeFunction device;
  const pci::Identity identity = read_identity(device.config);
  EXPECT_EQ(identity.vendor, 0x8086);
  EXPECT_EQ(identity.device, 0x10ca);
  EXPECT_EQ(identity.subsystem_vendor, 0x8086);
  EXPECT_EQ(identity.subsystem, 0xa03c);
  EXPECT_EQ(identity.revision, 1);
  EXPECT_EQ(identity.class_code, 0x020000u);
}

TEST(ConfigView, BarsOfAllKinds) {
  FakeFunction device;
  device.set(0x10, 4, 0x1);  // ports
  device.set(0x14, 4, 0x0);
  device.set(0x18, 4, 0x4);
  device.set(0x20, 4, 0x8);
  const u64 sizes[] = {0x20, 0x100, 2 * kMiB, 0, 64 * kKiB, 0};
  const pci::Bars bars = read_bars(device.config, sizes);
  EXPECT_EQ(bars[0].size, 0u) << "ports are left out";
  EXPECT_EQ(bars[1].size, kPageSize) << "a page is the least";
  EXPECT_FALSE(bars[1].is_64bit);
  EXPECT_EQ(bars[2].size, 2 * kMiB);
  EXPECT_TRUE(bars[2].is_64bit);
  EXPECT_FALSE(bars[2].is_prefetchable);
  EXPECT_EQ(bars[3].size, 0u) << "the upper half";
  EXPECT_TRUE(bars[4].is_prefetchable);
  EXPECT_FALSE(bars[4].is_64bit);
}

TEST(ConfigView, MsixIsFoundAndShown) {
  FakeFunction device;
  const auto place = find_msix(device.config);
  ASSERT_TRUE(place);
  EXPECT_EQ(*place,
            (MsixPlace{.vectors = 3, .table_bar = 3, .pending_bar = 3, .pending_offset = 0x2000}));
  pci::ConfigSpace config(read_identity(device.config), kNoBars);
  MsixPlace shown = *place;
  shown.vectors = 2;
  shown.pending_bar = 4;
  const u32 at = add_msix(shown, config);
  EXPECT_EQ(config.value(at, 1), 0x11u);
  EXPECT_EQ(config.value(at + 2, 2), 1u);
  EXPECT_EQ(config.value(at + 4, 4), 3u);
  EXPECT_EQ(config.value(at + 8, 4), 0x2004u);
  const u16 all = 0xffff;
  config.write(at + 2, std::as_bytes(std::span(&all, 1)));
  EXPECT_EQ(config.value(at + 2, 2), 0xc001u);
  device.set(0x70, 1, 0x05);
  EXPECT_FALSE(find_msix(device.config));
}

}  // namespace
}  // namespace mote::vfio
