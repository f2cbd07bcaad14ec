// SPDX-License-Identifier: Apache-2.0
// The ACPI tables, found and read as a guest finds and reads them. Offsets are ACPI 6.5's.
#include "vmm/arch/acpi.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/vmm/arch/table_reader.hpp"
#include "vmm/arch/layout.hpp"

namespace mote::arch {
namespace {

using test::Bytes;
using test::number;
using test::sum;
using test::text;

/// The block and the way from the RSDP to each table.
struct Tables {
  std::vector<std::byte> block;
  explicit Tables(AcpiOptions options) : block(build_acpi(layout::kAcpi, options)) {}

  Bytes rsdp() const { return Bytes(block).first(36); }
  Bytes at(u64 address) const {
    const u64 offset = address - layout::kAcpi.raw();
    if (offset > block.size() || block.size() - offset < 36) {
      ADD_FAILURE() << "no table at " << std::hex << address;
      return {};
    }
    const Bytes rest = Bytes(block).subspan(offset);
    const u64 length = number(rest, 4, 4);
    if (length < 36 || length > rest.size()) {
      ADD_FAILURE() << "a table of " << length << " bytes";
      return {};
    }
    return rest.first(length);
  }
  Bytes xsdt() const { return at(number(rsdp(), 24, 8)); }
  Bytes fadt() const { return at(number(xsdt(), 36, 8)); }
  Bytes madt() const { return at(number(xsdt(), 44, 8)); }
  Bytes dsdt() const { return at(number(fadt(), 140, 8)); }
};

struct AcpiTest : testing::TestWithParam<u32> {
  Tables tables{{.vcpu_count = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Vcpus, AcpiTest, testing::Values(1, 4, 32));

TEST_P(AcpiTest, TheRsdpStandsAtTheStartWithBothChecksums) {
  EXPECT_EQ(text(tables.rsdp(), 0, 8), "RSD PTR ");
  EXPECT_EQ(number(tables.rsdp(), 15, 1), 2u) << "revision";
  EXPECT_EQ(number(tables.rsdp(), 20, 4), 36u) << "length";
  EXPECT_EQ(sum(tables.rsdp().first(20)), 0);
  EXPECT_EQ(sum(tables.rsdp()), 0);
}

TEST_P(AcpiTest, EveryTableHasSignatureAndChecksum) {
  EXPECT_EQ(text(tables.xsdt(), 0, 4), "XSDT");
  EXPECT_EQ(text(tables.fadt(), 0, 4), "FACP");
  EXPECT_EQ(text(tables.madt(), 0, 4), "APIC");
  EXPECT_EQ(text(tables.dsdt(), 0, 4), "DSDT");
  for (const Bytes table : {tables.xsdt(), tables.fadt(), tables.madt(), tables.dsdt()}) {
    EXPECT_EQ(sum(table), 0) << text(table, 0, 4);
  }
}

TEST_P(AcpiTest, TablesDoNotOverlapAndFitTheirArea) {
  EXPECT_LE(tables.block.size(), layout::kAcpiSize);
  std::vector<Bytes> all = {tables.rsdp(), tables.xsdt(), tables.fadt(), tables.madt(),
                            tables.dsdt()};
  std::sort(all.begin(), all.end(), [](Bytes a, Bytes b) { return a.data() < b.data(); });
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_GE(all[i].data(), all[i - 1].data() + all[i - 1].size());
  }
}

TEST_P(AcpiTest, TheXsdtListsTwoTables) {
  EXPECT_EQ(tables.xsdt().size(), 36u + 2 * 8);
}

TEST_P(AcpiTest, TheMadtHasEachProcessorOnceAndTheIoApic) {
  const Bytes madt = tables.madt();
  EXPECT_EQ(number(madt, 36, 4), 0xfee00000u);
  u32 processors = 0;
  u32 io_apics = 0;
  std::size_t offset = 44;
  while (offset < madt.size()) {
    const u64 type = number(madt, offset, 1);
    const u64 length = number(madt, offset + 1, 1);
    ASSERT_GE(length, 2u);
    if (type == 0) {
      EXPECT_EQ(length, 8u);
      EXPECT_EQ(number(madt, offset + 2, 1), processors) << "UID";
      EXPECT_EQ(number(madt, offset + 3, 1), processors) << "APIC id";
      EXPECT_EQ(number(madt, offset + 4, 4), 1u) << "enabled";
      ++processors;
    } else if (type == 1) {
      EXPECT_EQ(length, 12u);
      EXPECT_EQ(number(madt, offset + 4, 4), 0xfec00000u);
      EXPECT_EQ(number(madt, offset + 8, 4), 0u) << "GSI base";
      ++io_apics;
    } else {
      ADD_FAILURE() << "entry of type " << type;
    }
    offset += length;
  }
  EXPECT_EQ(offset, madt.size());
  EXPECT_EQ(processors, GetParam());
  EXPECT_EQ(io_apics, 1u);
}

/// A generic address structure: one byte at a port [5.2.3.2].
void expect_byte_port(Bytes fadt, std::size_t offset, u64 port) {
  EXPECT_EQ(number(fadt, offset, 1), 1u) << "system I/O";
  EXPECT_EQ(number(fadt, offset + 1, 1), 8u) << "bits";
  EXPECT_EQ(number(fadt, offset + 2, 1), 0u);
  EXPECT_EQ(number(fadt, offset + 3, 1), 1u) << "byte access";
  EXPECT_EQ(number(fadt, offset + 4, 8), port);
}

TEST(AcpiFadt, IsHardwareReducedWithAResetRegister) {
  const Tables tables({});
  const Bytes fadt = tables.fadt();
  EXPECT_EQ(fadt.size(), 276u);
  const u64 flags = number(fadt, 112, 4);
  EXPECT_NE(flags & (1u << 20), 0u) << "HW_REDUCED_ACPI";
  EXPECT_NE(flags & (1u << 10), 0u) << "RESET_REG_SUP";
  expect_byte_port(fadt, 116, 0x602);
  EXPECT_EQ(number(fadt, 128, 1), 1u) << "RESET_VALUE";
}

TEST(AcpiFadt, NamesTheSleepRegisters) {
  const Tables tables({});
  expect_byte_port(tables.fadt(), 244, 0x600);
  expect_byte_port(tables.fadt(), 256, 0x601);
}

TEST(AcpiFadt, BothPointersToTheDsdtAgree) {
  const Tables tables({});
  EXPECT_EQ(number(tables.fadt(), 40, 4), number(tables.fadt(), 140, 8));
}

TEST(AcpiFadt, TellsOfTheRtcOnlyWhereThereIsOne) {
  constexpr u64 kNoRtc = 1u << 5;
  EXPECT_EQ(number(Tables({.legacy = true}).fadt(), 109, 2) & kNoRtc, 0u);
  EXPECT_EQ(number(Tables({.legacy = true}).fadt(), 108, 1), 0x32u) << "century";
  EXPECT_EQ(number(Tables({.legacy = false}).fadt(), 109, 2) & kNoRtc, kNoRtc);
  EXPECT_EQ(number(Tables({.legacy = false}).fadt(), 108, 1), 0u);
}

TEST(AcpiFadt, TellsOfTheKeyboardController) {
  EXPECT_NE(number(Tables({}).fadt(), 109, 2) & (1u << 1), 0u);
}

TEST(AcpiMadt, TellsOfThePicsOnlyWhereTheyAre) {
  EXPECT_EQ(number(Tables({.legacy = true}).madt(), 40, 4), 1u);
  EXPECT_EQ(number(Tables({.legacy = false}).madt(), 40, 4), 0u);
}

TEST(AcpiDsdt, HasSoftOffAsSleepTypeFive) {
  const Tables tables({});
  const Bytes dsdt = tables.dsdt();
  // Name (\_S5, Package (4) {5 ...}) in AML: NameOp, name, PackageOp, length, 4, BytePrefix, 5.
  const std::string aml = text(dsdt, 0, dsdt.size());
  const std::size_t name = aml.find("_S5_");
  ASSERT_NE(name, std::string::npos);
  EXPECT_EQ(number(dsdt, name + 4, 1), 0x12u);
  EXPECT_EQ(number(dsdt, name + 6, 1), 4u);
  EXPECT_EQ(number(dsdt, name + 7, 2), 0x050au);
}

TEST(AcpiDsdt, HasTheKeyboardWithItsPortsAndInterrupt) {
  const Tables tables({});
  const std::string aml = text(tables.dsdt(), 0, tables.dsdt().size());
  const std::size_t device = aml.find("PS2K");
  ASSERT_NE(device, std::string::npos);
  const std::string term = aml.substr(device);
  // Small resource items [6.4.2]: I/O with 16 bits decoded, and an interrupt by mask.
  EXPECT_NE(term.find(std::string("\x47\x01\x60\x00\x60\x00\x01\x01", 8)), std::string::npos);
  EXPECT_NE(term.find(std::string("\x47\x01\x64\x00\x64\x00\x01\x01", 8)), std::string::npos);
  EXPECT_NE(term.find(std::string("\x22\x02\x00", 3)), std::string::npos) << "interrupt 1";
}

TEST(AcpiTables, AddressesFollowTheBase) {
  const auto low = build_acpi(Gpa(0xe0000), {});
  const auto high = build_acpi(Gpa(0xf0000), {});
  EXPECT_EQ(number(high, 24, 8) - number(low, 24, 8), 0x10000u);
  EXPECT_EQ(sum(Bytes(high).first(36)), 0);
}

TEST(AcpiSsdt, IsListedOnlyWhereThereAreVirtioDevices) {
  EXPECT_EQ(Tables({}).xsdt().size(), 36u + 2 * 8);
  const Tables tables({.vcpu_count = 32, .virtio_devices = 17});
  ASSERT_EQ(tables.xsdt().size(), 36u + 3 * 8);
  const Bytes ssdt = tables.at(number(tables.xsdt(), 52, 8));
  EXPECT_EQ(text(ssdt, 0, 4), "SSDT");
  EXPECT_EQ(number(ssdt, 8, 1), 2u) << "revision: integers of 64 bits";
  EXPECT_EQ(sum(ssdt), 0);
  EXPECT_EQ(sum(tables.xsdt()), 0);
  EXPECT_LE(tables.block.size(), layout::kAcpiSize);
}

TEST(AcpiPci, IsThereOnlyWithAPciBus) {
  const GpaRange window = layout::pci_above_4g(300 * kGiB);
  const Tables tables({.virtio_devices = 1, .pci_above_4g = window});
  ASSERT_EQ(tables.xsdt().size(), 36u + 5 * 8);
  const Bytes mcfg = tables.at(number(tables.xsdt(), 60, 8));
  EXPECT_EQ(text(mcfg, 0, 4), "MCFG");
  EXPECT_EQ(sum(mcfg), 0);
  ASSERT_EQ(mcfg.size(), 60u);
  EXPECT_EQ(number(mcfg, 44, 8), layout::kPciEcam.raw());
  EXPECT_EQ(number(mcfg, 52, 8), 0u) << "segment 0, buses 0 to 0";
  const Bytes ssdt = tables.at(number(tables.xsdt(), 68, 8));
  EXPECT_EQ(text(ssdt, 0, 4), "SSDT");
  EXPECT_EQ(sum(ssdt), 0);
  // Address space resource of 64 bits [6.4.3.5.1]: tag, length 43, memory.
  const std::string aml = text(ssdt, 0, ssdt.size());
  const std::size_t at = aml.find(std::string("\x8a\x2b\x00\x00", 4));
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(number(ssdt, at + 14, 8), window.start.raw());
  EXPECT_EQ(number(ssdt, at + 22, 8), window.end() - 1);
  EXPECT_EQ(number(ssdt, at + 38, 8), window.size);
}

TEST(AcpiPci, HasASlotForEachDeviceThatCanGo) {
  const GpaRange window = layout::pci_above_4g(kMiB);
  const auto slots = [&](const PciDevices& removable) {
    const Tables tables({.pci_above_4g = window, .removable = removable});
    const Bytes ssdt = tables.at(number(tables.xsdt(), 60, 8));
    EXPECT_EQ(sum(ssdt), 0);
    EXPECT_EQ(number(ssdt, 4, 4), ssdt.size());
    return text(ssdt, 0, ssdt.size());
  };
  const auto count = [](const std::string& aml, std::string_view word) {
    int found = 0;
    for (std::size_t at = aml.find(word); at != std::string::npos; at = aml.find(word, at + 1)) {
      ++found;
    }
    return found;
  };
  const std::string none = slots({});
  EXPECT_EQ(count(none, "_EJ0"), 0);
  EXPECT_EQ(count(none, "SLOT"), 0);

  const std::string aml = slots({.first = 10, .count = 2});
  EXPECT_EQ(count(aml, "_EJ0"), 2);
  EXPECT_EQ(count(aml, "ACPI0013"), 2);
  for (const std::string_view mark : {"SLOT", "UNPL"}) EXPECT_EQ(count(aml, mark), 0) << mark;
  // As the slot, as what the event calls, and as whom it notifies.
  for (const std::string_view name : {"SL0A", "SL0B"}) EXPECT_EQ(count(aml, name), 3) << name;
  for (const std::string_view name : {"UN0A", "UN0B"}) EXPECT_EQ(count(aml, name), 1) << name;
  using namespace std::string_view_literals;
  EXPECT_EQ(count(aml, "_ADR\x0c\x00\x00\x0b\x00"sv), 1);
  EXPECT_EQ(count(aml, "_SUN\x0a\x0b"sv), 1);
  EXPECT_EQ(count(aml, "_UID\x0a\x0b"sv), 1);
  EXPECT_EQ(count(aml, "MASK\x0c\x00\x08\x00\x00"sv), 1);

  const Tables full({.vcpu_count = 32,
                     .virtio_devices = 17,
                     .pci_above_4g = window,
                     .removable = {.first = 1, .count = 31}});
  EXPECT_LE(full.block.size(), layout::kAcpiSize);
}

TEST(PciWindow, LiesBehindRam) {
  EXPECT_EQ(layout::pci_above_4g(kMiB).start, Gpa(256 * kGiB));
  EXPECT_EQ(layout::pci_above_4g(255 * kGiB).start, Gpa(256 * kGiB));
  EXPECT_EQ(layout::pci_above_4g(255 * kGiB + kMiB).start, Gpa(512 * kGiB));
  EXPECT_EQ(layout::pci_above_4g(kMiB).end(), 512 * kGiB) << "39 bits";
}

}  // namespace
}  // namespace mote::arch
