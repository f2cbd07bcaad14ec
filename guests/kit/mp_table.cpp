// SPDX-License-Identifier: Apache-2.0
// Reading the MP table, which kernels use when there is no ACPI. Any vCPU.
#include "guests/kit/mp_table.hpp"

#include "guests/kit/acpi.hpp"
#include "guests/kit/smp.hpp"

namespace kit::mp_table {
namespace {

constexpr u32 kFloatingSignature = 0x5F504D5F;  // "_MP_"
constexpr u32 kTableSignature = 0x504D4350;     // "PCMP"

template <class T>
T load(u64 address) {
  return acpi::Table{address}.at<T>(0);
}

// The floating pointer lies on a 16-byte boundary.
u64 search(u64 start, u64 end) {
  for (u64 address = start; address < end; address += 16) {
    if (load<u32>(address) == kFloatingSignature && acpi::sums_to_zero(address, 16)) {
      return address;
    }
  }
  return 0;
}

u64 find_floating_pointer() {
  // In the order that the specification names: last KiB of base memory, then the BIOS area.
  if (const u64 address = search(0x9FC00, 0xA0000); address != 0) return address;
  return search(0xF0000, 0x100000);
}

}  // namespace

u64 find() {
  const u64 pointer = find_floating_pointer();
  if (pointer == 0) return 0;
  const u64 table = load<u32>(pointer + 4);
  if (table == 0 || load<u32>(table) != kTableSignature) return 0;
  return acpi::sums_to_zero(table, load<u16>(table + 4)) ? table : 0;
}

bool list_cpus(CpuList& cpus) {
  constexpr u64 kFirstEntry = 44;
  constexpr u64 kProcessorSize = 20;
  constexpr u64 kOtherSize = 8;
  constexpr u8 kEnabled = 1;
  const u64 table = find();
  if (table == 0) return false;
  u64 entry = table + kFirstEntry;
  for (u16 i = load<u16>(table + 34); i > 0; i--) {
    const bool is_processor = load<u8>(entry) == 0;
    if (is_processor && (load<u8>(entry + 3) & kEnabled) != 0) cpus.add(load<u8>(entry + 1));
    entry += is_processor ? kProcessorSize : kOtherSize;
  }
  return cpus.count != 0;
}

}  // namespace kit::mp_table
