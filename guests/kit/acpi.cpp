// SPDX-License-Identifier: Apache-2.0
// Reading ACPI tables. Any vCPU.
#include "guests/kit/acpi.hpp"

#include "guests/kit/smp.hpp"

namespace kit::acpi {
namespace {

constexpr u64 kSearchStart = 0xE0000;
constexpr u64 kSearchEnd = 0x100000;
constexpr u64 kRsdpSignature = 0x2052545020445352;  // "RSD PTR "

}  // namespace

bool sums_to_zero(u64 address, u64 size) {
  u8 sum = 0;
  for (u64 i = 0; i < size; i++) {
    sum = static_cast<u8>(sum + *reinterpret_cast<const u8*>(address + i));
  }
  return sum == 0;
}

u64 find_rsdp(const BootInfo& info) {
  if (info.rsdp != 0) return info.rsdp;
  for (u64 address = kSearchStart; address < kSearchEnd; address += 16) {
    if (*reinterpret_cast<const u64*>(address) == kRsdpSignature) return address;
  }
  return 0;
}

Table xsdt(u64 rsdp) {
  constexpr u64 kXsdtAddress = 24;
  return {Table{rsdp}.at<u64>(kXsdtAddress)};
}

Table find(Table root, std::string_view signature) {
  const u32 length = root.length();
  for (u32 offset = kHeaderSize; offset + 8 <= length; offset += 8) {
    const Table table{root.at<u64>(offset)};
    if (table && table.signature() == signature) return table;
  }
  return {};
}

bool list_cpus(const BootInfo& info, CpuList& cpus) {
  const u64 rsdp = find_rsdp(info);
  if (rsdp == 0) return false;
  const Table root = xsdt(rsdp);
  if (!root) return false;
  const Table madt = find(root, "APIC");
  if (!madt) return false;
  for_each_controller(madt, [&cpus](u8 type, u64 address) {
    constexpr u8 kLocalApic = 0;
    constexpr u32 kEnabled = 1;
    const Table entry{address};
    if (type == kLocalApic && (entry.at<u32>(4) & kEnabled) != 0) cpus.add(entry.at<u8>(3));
  });
  return cpus.count != 0;
}

}  // namespace kit::acpi
