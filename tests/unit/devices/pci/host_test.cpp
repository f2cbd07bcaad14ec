// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/host.hpp"

#include <gtest/gtest.h>

#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote::pci {
namespace {

constexpr Windows kWindows = {{Gpa(0xc000'0000), 0x10'0000}, {Gpa(0x40'0000'0000), kGiB}};

/// Remembers what was done to its BARs.
struct FakeFunction final : Function {
  explicit FakeFunction(const Bars& its_bars, u16 device = 0x1234)
      : ranges(its_bars), config({.vendor = 0x1af4, .device = device}, its_bars) {}

  std::string_view name() const override { return "fake"; }
  Bars bars() const override { return ranges; }
  void place_bar(u32 bar, Gpa home) override {
    config.place_bar(bar, home);
    homes[bar] = home.raw();
  }
  bool answers(u32 bar) const override { return config.answers(bar); }
  void read_config(u32 offset, std::span<std::byte> data) override {
    CHECK(data.size() <= 4 && offset % 4 + data.size() <= 4 && offset < kConfigSize, "as promised");
    config.read(offset, data);
  }
  void write_config(u32 offset, std::span<const std::byte> data) override {
    CHECK(data.size() <= 4 && offset % 4 + data.size() <= 4 && offset < kConfigSize, "as promised");
    config.write(offset, data);
  }
  void read_bar(u32 bar, u64 offset, std::span<std::byte> data) override {
    store_le(data, bar << 16 | offset);
  }
  void write_bar(u32, u64 offset, std::span<const std::byte>) override { written = offset; }

  Bars ranges;
  ConfigSpace config;
  std::array<u64, kBarCount> homes{};
  u64 written = 0;
};

struct HostTest : testing::Test {
  Bus mmio;
  Host host{kWindows};

  u64 ecam(u64 offset, std::size_t width = 4) { return read_le(host.ecam(), offset, width); }
  u64 port(u64 address, u64 offset, std::size_t width) {
    write_le(host.ports(), 0, 4, address);
    return read_le(host.ports(), offset, width);
  }
};

TEST_F(HostTest, DeviceZeroIsTheBridge) {
  EXPECT_EQ(ecam(0), 0x00081b36u);
  EXPECT_EQ(ecam(0x0a, 2), 0x0600u);
  write_le(host.ecam(), 0x04, 2, 0xffff);
  EXPECT_EQ(ecam(0x04, 2), 0x0406u);
}

TEST_F(HostTest, NobodyElseIsThere) {
  for (u64 offset = 0x1000; offset < Host::kEcamSize; offset += 0x1000) {
    ASSERT_EQ(ecam(offset), 0xffffffffu) << offset;
  }
  EXPECT_EQ(ecam(Host::kEcamSize - 8, 8), ~u64{0});
}

TEST_F(HostTest, FunctionsFollowTheBridge) {
  FakeFunction first({}, 1);
  FakeFunction second({}, 2);
  EXPECT_EQ(*host.add(first, mmio), 1u);
  EXPECT_EQ(*host.add(second, mmio), 2u);
  EXPECT_EQ(ecam(1 << 15), 0x00011af4u);
  EXPECT_EQ(ecam(2 << 15), 0x00021af4u);
  EXPECT_EQ(ecam((1 << 15) + 0x1000), 0xffffffffu) << "it has one function";
  EXPECT_EQ(ecam((1 << 15) + 2, 1), 1u);
  EXPECT_EQ(ecam((1 << 15) + 0xffc), 0u);
}

TEST_F(HostTest, AccessesStayWithinAWord) {
  FakeFunction function({});
  ASSERT_TRUE(host.add(function, mmio));
  for (u64 offset = 0; offset < 8; ++offset) {
    for (const std::size_t width : {1u, 2u, 4u, 8u}) {
      write_le(host.ecam(), (1 << 15) + offset, width, 0);
      const bool whole = offset % 4 + width <= 4;
      const u64 ones = width == 8 ? ~u64{0} : (u64{1} << 8 * width) - 1;
      EXPECT_EQ(ecam((1 << 15) + offset, width) == ones, !whole) << offset << " " << width;
    }
  }
}

TEST_F(HostTest, PortsReachTheSameSpace) {
  FakeFunction function({});
  ASSERT_TRUE(host.add(function, mmio));
  EXPECT_EQ(port(0x80000000, 4, 4), 0x00081b36u);
  EXPECT_EQ(port(0x80000800, 4, 4), 0x12341af4u);
  EXPECT_EQ(port(0x80000800, 6, 2), 0x1234u);
  EXPECT_EQ(port(0x80000800, 7, 1), 0x12u);
  EXPECT_EQ(port(0x80000800, 6, 4), 0xffffffffu) << "across a word";
  EXPECT_EQ(port(0x80000900, 4, 4), 0xffffffffu) << "another function";
  EXPECT_EQ(port(0x80010800, 4, 4), 0xffffffffu) << "another bus";
  EXPECT_EQ(port(0x00000800, 4, 4), 0xffffffffu) << "not enabled";
  write_le(host.ports(), 0, 4, 0x80000804);
  write_le(host.ports(), 4, 2, 2);
  EXPECT_EQ(ecam((1 << 15) + 4), 2u);
  write_le(host.ports(), 0, 4, 0x00000804);
  write_le(host.ports(), 4, 2, 0);
  EXPECT_EQ(ecam((1 << 15) + 4), 2u);
}

TEST_F(HostTest, TheAddressPortTakesWholeWordsOnly) {
  write_le(host.ports(), 0, 4, 0xffffffff);
  EXPECT_EQ(read_le(host.ports(), 0, 4), 0x80fffffcu);
  write_le(host.ports(), 0, 2, 0);
  write_le(host.ports(), 1, 1, 0);
  write_le(host.ports(), 2, 4, 0);
  EXPECT_EQ(host.save().address, 0x80fffffcu);
  EXPECT_EQ(read_le(host.ports(), 0, 1), 0xffu);
  EXPECT_EQ(read_le(host.ports(), 2, 4), 0xffffffffu);
}

TEST_F(HostTest, BarsGetTheirHomes) {
  FakeFunction first({Bar{.size = 0x1000}, Bar{.size = 0x8000, .is_64bit = true}, Bar{},
                      Bar{.size = 0x10'0000, .is_64bit = true, .is_prefetchable = true}});
  FakeFunction second({Bar{.size = 0x10'0000, .is_64bit = true}});
  ASSERT_TRUE(host.add(first, mmio));
  ASSERT_TRUE(host.add(second, mmio));
  EXPECT_EQ(first.homes[0], 0xc000'0000u);
  EXPECT_EQ(first.homes[1], 0xc000'8000u);
  EXPECT_EQ(first.homes[3], 0x40'0000'0000u);
  EXPECT_EQ(second.homes[0], 0x40'0010'0000u) << "no room below";
}

TEST_F(HostTest, NoRoomIsAnError) {
  FakeFunction wide({Bar{.size = 0x20'0000}});
  const auto below = host.add(wide, mmio);
  ASSERT_FALSE(below);
  EXPECT_NE(below.error().message().find("2048 KiB"), std::string::npos);
  FakeFunction huge({Bar{.size = u64{1} << 63, .is_64bit = true}});
  EXPECT_FALSE(host.add(huge, mmio));
  std::vector<std::unique_ptr<FakeFunction>> functions;
  for (u32 device = 1; device < Host::kDevices; ++device) {
    functions.push_back(std::make_unique<FakeFunction>(Bars{}));
    ASSERT_EQ(*host.add(*functions.back(), mmio), device);
  }
  FakeFunction late({});
  EXPECT_FALSE(host.add(late, mmio));
}

TEST_F(HostTest, ABarThatIsOffOrAwayReadsAsOnes) {
  FakeFunction function({Bar{}, Bar{.size = 0x1000}});
  ASSERT_TRUE(host.add(function, mmio));
  std::byte bytes[4];
  const auto read = [&] {
    mmio.read(0xc000'0010, bytes);
    return load_le(bytes);
  };
  EXPECT_EQ(read(), 0xffffffffu);
  mmio.write(0xc000'0010, bytes);
  EXPECT_EQ(function.written, 0u);
  write_le(host.ecam(), (1 << 15) + 4, 2, 2);
  EXPECT_EQ(read(), 0x10010u);
  mmio.write(0xc000'0010, bytes);
  EXPECT_EQ(function.written, 0x10u);
  write_le(host.ecam(), (1 << 15) + 0x14, 4, 0xc000'1000);
  EXPECT_EQ(read(), 0xffffffffu);
  EXPECT_FALSE(mmio.read(0xc000'1010, bytes));
}

TEST_F(HostTest, AFunctionThatHasGoneReadsAsOnes) {
  FakeFunction function({Bar{.size = 0x1000}}, 1);
  FakeFunction other({Bar{.size = 0x1000}}, 2);
  const u32 device = *host.add(function, mmio);
  ASSERT_TRUE(host.add(other, mmio));
  std::byte bytes[4];
  for (const u64 place : {1u, 2u}) write_le(host.ecam(), (place << 15) + 4, 2, 2);
  const auto read = [&](u64 address) {
    mmio.read(address, bytes);
    return load_le(bytes);
  };
  ASSERT_EQ(read(0xc000'0010), 0x10u);

  host.remove(device);
  EXPECT_EQ(ecam(1 << 15), 0xffffffffu);
  EXPECT_EQ(port(0x80000800, 4, 4), 0xffffffffu);
  EXPECT_EQ(read(0xc000'0010), 0xffffffffu);
  mmio.write(0xc000'0010, bytes);
  write_le(host.ecam(), (1 << 15) + 4, 2, 0);
  EXPECT_EQ(function.written, 0u);
  EXPECT_TRUE(function.config.answers(0)) << "what is written does not reach it";
  EXPECT_EQ(ecam(2 << 15), 0x00021af4u);
  EXPECT_EQ(read(0xc000'1010), 0x10u);
  host.remove(device);

  FakeFunction late({}, 3);
  EXPECT_EQ(*host.add(late, mmio), 3u) << "its place is not another's";
}

TEST_F(HostTest, AStateComesBack) {
  const Host::State fresh = host.save();
  write_le(host.ports(), 0, 4, 0x80000004);
  write_le(host.ports(), 4, 2, 6);
  const Host::State state = host.save();
  EXPECT_NE(state, fresh);
  Host other(kWindows);
  other.restore(state);
  EXPECT_EQ(other.save(), state);
  EXPECT_EQ(read_le(other.ports(), 4, 2), 6u);
  Host::State hostile{.address = 0xffffffff, .bridge = {}};
  hostile.bridge.bytes.fill(0xff);
  other.restore(hostile);
  EXPECT_EQ(read_le(other.ports(), 0, 4), 0x80fffffcu);
  EXPECT_EQ(read_le(other.ecam(), 0, 4), 0x00081b36u);
}

}  // namespace
}  // namespace mote::pci
