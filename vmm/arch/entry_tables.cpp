// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/entry_tables.hpp"

#include <array>
#include <span>

#include "vmm/arch/layout.hpp"

namespace mote::arch {
namespace {

constexpr u64 kPresentWritable = 0x3;
constexpr u64 kPageSizeBit = 0x80;
constexpr std::size_t kEntriesPerTable = 512;
constexpr std::size_t kDirectories = 4;  // 1 GiB each

constexpr u64 kCode32 = 0x00cf9b000000ffff;
constexpr u64 kCode64 = 0x00af9b000000ffff;
constexpr u64 kData = 0x00cf93000000ffff;
constexpr u64 kTask = 0x00008b0000000067;

}  // namespace

bool write_gdt(const GuestMemory& memory, bool long_mode) {
  const std::array<u64, kGdtSize / 8> table = {0,     0,     long_mode ? kCode64 : kCode32,
                                               kData, kTask, 0};
  return memory.write(layout::kGdt, std::as_bytes(std::span(table)));
}

bool write_identity_map(const GuestMemory& memory) {
  const u64 pml4_entry = layout::kPdpt.raw() | kPresentWritable;
  std::array<u64, kDirectories> pdpt{};
  std::array<u64, kDirectories * kEntriesPerTable> directories{};
  for (std::size_t i = 0; i < pdpt.size(); ++i) {
    pdpt[i] = (layout::kPageDirectories.raw() + i * kPageSize) | kPresentWritable;
  }
  for (std::size_t i = 0; i < directories.size(); ++i) {
    directories[i] = i * kHugePageSize | kPresentWritable | kPageSizeBit;
  }
  return memory.store(layout::kPml4, pml4_entry) &&
         memory.write(layout::kPdpt, std::as_bytes(std::span(pdpt))) &&
         memory.write(layout::kPageDirectories, std::as_bytes(std::span(directories)));
}

}  // namespace mote::arch
