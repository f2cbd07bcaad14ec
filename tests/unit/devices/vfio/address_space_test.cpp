// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/address_space.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace mote::vfio {
namespace {

class FakeSpace final : public AddressSpace {
 public:
  std::vector<IovaRange> addresses;
  int refusal = 0;
  std::vector<std::pair<u64, std::size_t>> mapped;

  explicit FakeSpace(std::vector<u64>* unmapped = nullptr) : unmapped_(unmapped) {}
  ~FakeSpace() override { unmap_all(); }
  Way way() const override { return Way::kIommufd; }
  Result<std::unique_ptr<AddressSpace>> duplicate(std::span<const PciAddress>) const override {
    return std::unique_ptr<AddressSpace>(new FakeSpace());
  }
  Result<void> join(const HostFunction&) override { return {}; }
  Result<void> join(const PciAddress&, UniqueFd) override { return {}; }
  bool has(const PciAddress&) const override { return false; }
  Result<UniqueFd> take(const PciAddress&) const override { return UniqueFd(); }
  UniqueFd leave(const PciAddress&) override { return {}; }
  std::vector<int> kvm_files() const override { return {}; }
  Result<std::vector<IovaRange>> ranges() const override { return addresses; }

 private:
  int map(Gpa address, std::span<std::byte> memory) override {
    if (refusal == 0) mapped.emplace_back(address.raw(), memory.size());
    return refusal;
  }
  void unmap(const GpaRange& range) override {
    if (unmapped_ != nullptr) unmapped_->push_back(range.start.raw());
  }

  std::vector<u64>* unmapped_;
};

constexpr u64 kHigh = u64{1} << 40;

class VfioAddressSpace : public testing::Test {
 protected:
  static GuestMemory make_memory() {
    const GpaRange ranges[] = {{Gpa(0), kMiB}, {Gpa(kHigh), 2 * kMiB}};
    auto memory = GuestMemory::create(ranges);
    EXPECT_TRUE(memory);
    return *std::move(memory);
  }
  std::string refusal() {
    const auto done = space_.map_all(memory_);
    return done ? "" : done.error().message();
  }

  FakeSpace space_;
  GuestMemory memory_ = make_memory();
};

TEST_F(VfioAddressSpace, HasAllOfRamAtTheGuestsAddresses) {
  space_.addresses = {{0, 0xfedf'ffff}, {0xfef0'0000, ~u64{0}}};
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(space_.mapped,
            (std::vector<std::pair<u64, std::size_t>>{{0, kMiB}, {kHigh, 2 * kMiB}}));
}

TEST_F(VfioAddressSpace, WhatItMappedGoesWithIt) {
  std::vector<u64> unmapped;
  {
    FakeSpace space(&unmapped);
    ASSERT_TRUE(space.map_all(memory_));
    EXPECT_TRUE(unmapped.empty());
  }
  EXPECT_EQ(unmapped, (std::vector<u64>{0, kHigh}));
}

TEST_F(VfioAddressSpace, AKernelThatDoesNotSayItsAddressesIsTried) {
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(space_.mapped.size(), 2u);
}

TEST_F(VfioAddressSpace, AnIommuOfTooFewBitsIsToldBeforeAnythingIsMapped) {
  space_.addresses = {{0, (u64{1} << 39) - 1}};
  EXPECT_EQ(refusal(),
            "the host's IOMMU has no address 0x10000000000 for the guest's RAM -- give the guest "
            "less memory");
  EXPECT_TRUE(space_.mapped.empty());
}

TEST_F(VfioAddressSpace, AHoleInTheMiddleOfRamIsToldByItsFirstAddress) {
  space_.addresses = {{0, 0x7'ffff}, {0x10'0000, ~u64{0}}};
  EXPECT_NE(refusal().find("no address 0x80000 "), std::string::npos);
}

TEST_F(VfioAddressSpace, MemoryThatMayNotBeLocked) {
  space_.refusal = ENOMEM;
  const std::string text = refusal();
  EXPECT_NE(text.find("cannot lock 1024 KiB of the guest's RAM"), std::string::npos) << text;
  EXPECT_NE(text.find("-- raise the limit of locked memory: ulimit -l"), std::string::npos);
}

TEST_F(VfioAddressSpace, TooManyMappings) {
  space_.refusal = ENOSPC;
  EXPECT_NE(refusal().find("-- raise vfio_iommu_type1.dma_entry_limit"), std::string::npos);
}

}  // namespace
}  // namespace mote::vfio
