// SPDX-License-Identifier: Apache-2.0
// Reading ACPI tables. Any vCPU.
#pragma once

#include <string_view>

#include "guests/kit/boot_info.hpp"
#include "guests/kit/types.hpp"

namespace kit {
struct CpuList;
}

namespace kit::acpi {

/// A table in guest memory; address 0 means that it is not there.
struct Table {
  u64 address = 0;

  explicit operator bool() const { return address != 0; }
  template <class T>
  T at(u64 offset) const {
    T value;
    __builtin_memcpy(&value, reinterpret_cast<const void*>(address + offset), sizeof(T));
    return value;
  }
  std::string_view signature() const { return {reinterpret_cast<const char*>(address), 4}; }
  u32 length() const { return at<u32>(4); }
};

inline constexpr u32 kHeaderSize = 36;

/// True when the bytes add up to zero [ACPI-6.5 5.2.6].
bool sums_to_zero(u64 address, u64 size);

/// Where the RSDP is: what the monitor names, else a search of 0xE0000..0xFFFFF; 0 when nowhere.
u64 find_rsdp(const BootInfo& info);

/// The root table of an RSDP: the XSDT.
Table xsdt(u64 rsdp);

/// The table with this signature that the XSDT lists.
Table find(Table xsdt, std::string_view signature);

/// Calls `visit(type, address)` for each interrupt controller structure of a MADT.
template <class Visit>
void for_each_controller(Table madt, Visit visit) {
  constexpr u32 kFirst = 44;
  const u32 length = madt.length();
  u32 offset = kFirst;
  while (offset + 2 <= length) {
    const u8 size = madt.at<u8>(offset + 1);
    if (size < 2) return;
    visit(madt.at<u8>(offset), madt.address + offset);
    offset += size;
  }
}

/// Adds the enabled vCPUs of the MADT; false when there is none.
bool list_cpus(const BootInfo& info, CpuList& cpus);

}  // namespace kit::acpi
