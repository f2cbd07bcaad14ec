// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/pci_ssdt.hpp"

#include <span>

#include "vmm/arch/layout.hpp"
#include "vmm/arch/table_bytes.hpp"

// Made from pci_ssdt.asl at build time: unsigned char pci_ssdt_aml_code[].
#include "pci_ssdt.hex"

namespace mote::arch {
namespace {

/// What stands in the pattern where the window begins; its last address and, after an offset of
/// eight bytes more, its size follow [ACPI-6.5 6.4.3.5.1].
constexpr u64 kStart = 0xa5a5'0000'0000;
constexpr std::size_t kLastBehind = 8;
constexpr std::size_t kSizeBehind = 24;

static_assert(layout::kPciBelow4g.start == Gpa(0xc000'0000) &&
                  layout::kPciBelow4g.size == 0x1000'0000,
              "the table says so");
static_assert(layout::kPciEcam == Gpa(0xe000'0000) && layout::kPciEcamSize == 0x10'0000,
              "the table says so");
static_assert(layout::kPciConfig == 0xcf8, "the table says so");

}  // namespace

std::vector<std::byte> build_pci_ssdt(const GpaRange& above_4g) {
  const auto pattern = std::as_bytes(std::span(pci_ssdt_aml_code));
  std::vector<std::byte> table(pattern.begin(), pattern.end());
  const std::size_t start = find_mark(pattern, kStart);
  overwrite(table, start, above_4g.start.raw());
  overwrite(table, start + kLastBehind, above_4g.end() - 1);
  overwrite(table, start + kSizeBehind, above_4g.size);
  return table;
}

}  // namespace mote::arch
