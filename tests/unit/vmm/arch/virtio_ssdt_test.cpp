// SPDX-License-Identifier: Apache-2.0
// The SSDT of virtio devices, read term by term [ACPI-6.5 20.2, 6.4.3].
#include "vmm/arch/virtio_ssdt.hpp"

#include <gtest/gtest.h>

#include "tests/unit/vmm/arch/table_reader.hpp"
#include "vmm/arch/virtio_slots.hpp"

namespace mote::arch {
namespace {

using test::Bytes;
using test::number;
using test::text;

struct Term {
  Bytes bytes;
  Bytes after(const std::string& mark) const {
    const std::size_t at = text(bytes, 0, bytes.size()).find(mark);
    if (at == std::string::npos) {
      ADD_FAILURE() << mark << " is missing";
      return {};
    }
    return bytes.subspan(at + mark.size());
  }
};

/// The device terms of a table: DeviceOp, a package length of one or two bytes, its contents.
std::vector<Term> terms(Bytes table) {
  std::vector<Term> result;
  std::size_t at = 36;
  while (at < table.size()) {
    if (number(table, at, 2) != 0x825b) {
      ADD_FAILURE() << "no DeviceOp at " << at;
      break;
    }
    const u64 lead = number(table, at + 2, 1);
    const u64 length = lead >> 6 == 0 ? lead : (lead & 15) | number(table, at + 3, 1) << 4;
    if (lead >> 6 > 1 || length == 0 || at + 2 + length > table.size()) {
      ADD_FAILURE() << "a package of " << length << " bytes at " << at;
      break;
    }
    result.push_back({table.subspan(at + 2, length)});
    at += 2 + length;
  }
  return result;
}

TEST(VirtioSsdt, HasOneDevicePerPlace) {
  for (const u32 count : {1u, 2u, kMaxVirtioDevices}) {
    const auto table = build_virtio_ssdt(count);
    EXPECT_EQ(terms(table).size(), count);
  }
}

TEST(VirtioSsdt, EachDeviceHasItsOwnNameNumberAddressAndInterrupt) {
  const auto table = build_virtio_ssdt(kMaxVirtioDevices);
  const auto all = terms(table);
  ASSERT_EQ(all.size(), kMaxVirtioDevices);
  for (u32 n = 0; n < kMaxVirtioDevices; ++n) {
    SCOPED_TRACE(n);
    char name[8];
    std::snprintf(name, sizeof(name), "VI%02X", n);
    EXPECT_EQ(text(all[n].after("\\._SB_"), 0, 4), name);
    EXPECT_EQ(text(all[n].after("_HID\x0d"), 0, 8), "LNRO0005");
    EXPECT_EQ(number(all[n].after("_UID\x0a"), 0, 1), n);

    // A buffer: op, package length, BytePrefix, size, then the descriptors.
    const Bytes resources = all[n].after("_CRS").subspan(4);
    EXPECT_EQ(number(resources, 0, 1), 0x86u) << "fixed memory of 32 bits";
    EXPECT_EQ(number(resources, 1, 2), 9u);
    EXPECT_EQ(number(resources, 3, 1), 1u) << "writable";
    EXPECT_EQ(number(resources, 4, 4), virtio_slot(n).address.raw());
    EXPECT_EQ(number(resources, 8, 4), layout::kVirtioMmioStride);
    EXPECT_EQ(number(resources, 12, 1), 0x89u) << "extended interrupt";
    EXPECT_EQ(number(resources, 13, 2), 6u);
    EXPECT_EQ(number(resources, 15, 1), 3u) << "consumer, edge, active high, not shared";
    EXPECT_EQ(number(resources, 16, 1), 1u) << "one interrupt";
    EXPECT_EQ(number(resources, 17, 4), index(virtio_slot(n).pin));
    EXPECT_EQ(number(resources, 21, 1), 0x79u) << "end tag";
  }
}

TEST(VirtioSsdt, TheHeaderIsReadyForLengthAndChecksum) {
  const auto table = build_virtio_ssdt(3);
  EXPECT_EQ(text(table, 0, 4), "SSDT");
  EXPECT_EQ((table.size() - 36) % 3, 0u);
}

}  // namespace
}  // namespace mote::arch
