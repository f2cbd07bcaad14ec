// SPDX-License-Identifier: Apache-2.0
// The MP table, read as a guest reads it. Offsets are those of the MP specification 1.4.
#include "vmm/arch/mptable.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/vmm/arch/table_reader.hpp"
#include "vmm/arch/layout.hpp"

namespace mote::arch {
namespace {

using test::Bytes;
using test::number;
using test::sum;
using test::text;

struct MpTableTest : testing::TestWithParam<u32> {
  std::vector<std::byte> block = build_mptable(layout::kMpTable, GetParam());
  Bytes pointer() const { return Bytes(block).first(16); }
  Bytes table() const { return Bytes(block).subspan(16); }

  /// All entries by type [MP-1.4 4.3].
  std::map<u64, std::vector<Bytes>> entries() const {
    std::map<u64, std::vector<Bytes>> found;
    std::size_t offset = 44;
    while (offset < table().size()) {
      const u64 type = number(table(), offset, 1);
      const std::size_t length = type == 0 ? 20 : 8;
      if (length > table().size() - offset) {
        ADD_FAILURE() << "the last entry is cut";
        break;
      }
      found[type].push_back(table().subspan(offset, length));
      offset += length;
    }
    return found;
  }
};
INSTANTIATE_TEST_SUITE_P(Vcpus, MpTableTest, testing::Values(1, 4, 32));

TEST_P(MpTableTest, ThePointerLeadsToTheTable) {
  EXPECT_EQ(text(pointer(), 0, 4), "_MP_");
  EXPECT_EQ(number(pointer(), 4, 4), layout::kMpTable.raw() + 16);
  EXPECT_EQ(number(pointer(), 8, 1), 1u) << "length in 16 bytes";
  EXPECT_EQ(number(pointer(), 9, 1), 4u) << "revision";
  EXPECT_EQ(number(pointer(), 11, 1), 0u) << "a configuration table follows";
  EXPECT_EQ(sum(pointer()), 0);
}

TEST_P(MpTableTest, TheTableIsSoundAndFitsItsKiB) {
  EXPECT_EQ(text(table(), 0, 4), "PCMP");
  EXPECT_EQ(number(table(), 4, 2), table().size());
  EXPECT_EQ(number(table(), 36, 4), 0xfee00000u);
  EXPECT_EQ(sum(table()), 0);
  EXPECT_LE(block.size(), 1024u);
}

TEST_P(MpTableTest, TheEntryCountIsTrue) {
  std::size_t count = 0;
  for (const auto& [type, list] : entries()) count += list.size();
  EXPECT_EQ(number(table(), 34, 2), count);
}

TEST_P(MpTableTest, EachProcessorIsEnabledAndTheFirstBoots) {
  const auto processors = entries()[0];
  ASSERT_EQ(processors.size(), GetParam());
  for (std::size_t id = 0; id < processors.size(); ++id) {
    EXPECT_EQ(number(processors[id], 1, 1), id);
    EXPECT_EQ(number(processors[id], 3, 1), id == 0 ? 3u : 1u);
  }
}

TEST_P(MpTableTest, TheIoApicIsUsable) {
  const auto io_apics = entries()[2];
  ASSERT_EQ(io_apics.size(), 1u);
  EXPECT_EQ(number(io_apics[0], 3, 1), 1u);
  EXPECT_EQ(number(io_apics[0], 4, 4), 0xfec00000u);
}

TEST_P(MpTableTest, EachOf24PinsIsWiredOneToOne) {
  auto all = entries();
  ASSERT_EQ(all[1].size(), 1u);
  ASSERT_EQ(all[3].size(), 24u);
  const u64 bus = number(all[1][0], 1, 1);
  const u64 io_apic = number(all[2].at(0), 1, 1);
  EXPECT_EQ(text(all[1][0], 2, 6), "ISA   ");
  for (std::size_t pin = 0; pin < 24; ++pin) {
    const Bytes entry = all[3][pin];
    EXPECT_EQ(number(entry, 1, 1), 0u) << "vectored";
    EXPECT_EQ(number(entry, 4, 1), bus);
    EXPECT_EQ(number(entry, 5, 1), pin);
    EXPECT_EQ(number(entry, 6, 1), io_apic);
    EXPECT_EQ(number(entry, 7, 1), pin);
  }
}

TEST_P(MpTableTest, Lint0IsThePicAndLint1IsTheNmi) {
  const auto local = entries()[4];
  ASSERT_EQ(local.size(), 2u);
  EXPECT_EQ(number(local[0], 1, 1), 3u) << "ExtINT";
  EXPECT_EQ(number(local[0], 7, 1), 0u);
  EXPECT_EQ(number(local[1], 1, 1), 1u) << "NMI";
  EXPECT_EQ(number(local[1], 6, 1), 0xffu) << "of every processor";
  EXPECT_EQ(number(local[1], 7, 1), 1u);
}

}  // namespace
}  // namespace mote::arch
