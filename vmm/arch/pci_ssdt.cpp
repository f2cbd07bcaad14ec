// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/pci_ssdt.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "core/check.hpp"
#include "core/text.hpp"
#include "vmm/arch/layout.hpp"
#include "vmm/arch/table_bytes.hpp"

// Made from pci_ssdt.asl at build time: unsigned char pci_ssdt_aml_code[].
#include "pci_ssdt.hex"

namespace mote::arch {
namespace {

/// Where the pattern of a removable device begins: DeviceOp, a length of two bytes, name
/// [ACPI-6.5 20.2.5.2].
constexpr u8 kSlotDevice[] = {'\\', 0x2f, 3,   '_', 'S', 'B', '_', 'P',
                              'C',  'I',  '0', 'S', 'L', 'O', 'T'};
constexpr std::size_t kBeforeName = 4;
constexpr u8 kDeviceOp[] = {0x5b, 0x82};

// What stands in it where a device's own values go.
constexpr std::array<u8, 4> kSlotName = {'S', 'L', 'O', 'T'};
constexpr std::array<u8, 4> kEventName = {'U', 'N', 'P', 'L'};
constexpr u32 kAddress = 0xa5a5'0000;  // the device is its upper half [ACPI-6.5 6.1.1]
constexpr std::array<u8, 2> kNumber = {0x0a, 0xa5};  // BytePrefix, value
constexpr u32 kMask = 0x5a5a'5a5a;

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
static_assert(layout::kUnplugPorts == 0x610 && layout::kUnplugPin == Pin{13}, "the table says so");

/// Puts `value` wherever `mark` stands in `term`; it does.
template <class T>
void fill_in(std::span<std::byte> term, const T& mark, const T& value) {
  std::size_t at = find_mark(std::span<const std::byte>(term), mark);
  while (true) {
    overwrite(term, at, value);
    const auto rest = term.subspan(at + sizeof(T));
    const auto bytes = std::as_bytes(std::span(&mark, 1));
    const auto next = std::search(rest.begin(), rest.end(), bytes.begin(), bytes.end());
    if (next == rest.end()) return;
    at = static_cast<std::size_t>(next - term.begin());
  }
}

/// "SL0B": `name` with the number in place of its last two letters.
std::array<u8, 4> numbered(const std::array<u8, 4>& name, u32 number) {
  const std::string digits = format("%02X", number);
  return {name[0], name[1], static_cast<u8>(digits[0]), static_cast<u8>(digits[1])};
}

}  // namespace

std::vector<std::byte> build_pci_ssdt(const GpaRange& above_4g, const PciDevices& removable) {
  const auto whole = std::as_bytes(std::span(pci_ssdt_aml_code));
  const std::size_t end = find_mark(whole, kSlotDevice) - kBeforeName;
  const auto pattern = whole.first(end);
  const auto slot = whole.subspan(end);
  CHECK(find_mark(slot, kDeviceOp) == 0, "the pattern of a slot begins with it");
  CHECK(removable.first + removable.count <= 32, "a slot is a device of the bus");

  std::vector<std::byte> table(pattern.begin(), pattern.end());
  const std::size_t start = find_mark(pattern, kStart);
  overwrite(table, start, above_4g.start.raw());
  overwrite(table, start + kLastBehind, above_4g.end() - 1);
  overwrite(table, start + kSizeBehind, above_4g.size);
  for (u32 device = removable.first; device < removable.first + removable.count; ++device) {
    table.insert(table.end(), slot.begin(), slot.end());
    const auto term = std::span(table).last(slot.size());
    fill_in(term, kSlotName, numbered(kSlotName, device));
    fill_in(term, kEventName, numbered(kEventName, device));
    fill_in(term, kAddress, device << 16);
    fill_in(term, kNumber, {kNumber[0], static_cast<u8>(device)});
    fill_in(term, kMask, 1u << device);
  }
  return table;
}

}  // namespace mote::arch
