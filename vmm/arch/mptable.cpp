// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/mptable.hpp"

#include <span>

#include "core/check.hpp"
#include "vmm/arch/layout.hpp"
#include "vmm/arch/table_bytes.hpp"

namespace mote::arch {
namespace {

#pragma pack(push, 1)

/// [MP-1.4 4.1]
struct FloatingPointer {
  char signature[4] = {'_', 'M', 'P', '_'};
  u32 table_address = 0;
  u8 length = 1;  // in 16 bytes
  u8 revision = 4;
  u8 checksum = 0;
  u8 features[5] = {};  // [0] 0: a configuration table is there; [1] bit 7 clear: virtual wire mode
};
static_assert(sizeof(FloatingPointer) == 16);

/// [MP-1.4 4.2]
struct TableHeader {
  char signature[4] = {'P', 'C', 'M', 'P'};
  u16 length = 0;
  u8 revision = 4;
  u8 checksum = 0;
  char oem_id[8] = {'M', 'O', 'T', 'E', ' ', ' ', ' ', ' '};
  char product_id[12] = {'M', 'O', 'T', 'E', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
  u32 oem_table = 0;
  u16 oem_table_size = 0;
  u16 entry_count = 0;
  u32 local_apic_address = static_cast<u32>(layout::kLocalApic.raw());
  u16 extended_length = 0;
  u8 extended_checksum = 0;
  u8 reserved = 0;
};
static_assert(sizeof(TableHeader) == 44);

/// [MP-1.4 4.3.1]
struct Processor {
  u8 type = 0;
  u8 apic_id = 0;
  u8 apic_version = 0x14;
  u8 flags = 0;
  u32 signature = 0x600;  // family 6
  u32 features = 0x201;   // FPU, APIC
  u32 reserved[2] = {};
};
static_assert(sizeof(Processor) == 20);
constexpr u8 kEnabled = 1;
constexpr u8 kBootProcessor = 2;

/// [MP-1.4 4.3.2]
struct BusEntry {
  u8 type = 1;
  u8 id = 0;
  char name[6] = {'I', 'S', 'A', ' ', ' ', ' '};
};
static_assert(sizeof(BusEntry) == 8);

/// [MP-1.4 4.3.3]
struct IoApicEntry {
  u8 type = 2;
  u8 id = 0;
  u8 version = 0x11;
  u8 flags = 1;  // usable
  u32 address = static_cast<u32>(layout::kIoApic.raw());
};
static_assert(sizeof(IoApicEntry) == 8);

/// I/O interrupt [MP-1.4 4.3.4] and local interrupt [MP-1.4 4.3.5] assignment.
struct InterruptEntry {
  u8 type = 0;
  u8 interrupt_type = 0;
  u16 flags = 0;  // polarity and trigger as the bus has them
  u8 source_bus = 0;
  u8 source_irq = 0;
  u8 destination_apic = 0;
  u8 destination_input = 0;
};
static_assert(sizeof(InterruptEntry) == 8);
constexpr u8 kIoInterrupt = 3;
constexpr u8 kLocalInterrupt = 4;
constexpr u8 kVectored = 0;
constexpr u8 kNmi = 1;
constexpr u8 kExternal = 3;
constexpr u8 kAllLocalApics = 0xff;

#pragma pack(pop)

}  // namespace

std::vector<std::byte> build_mptable(Gpa base, u32 vcpu_count) {
  std::vector<std::byte> block(sizeof(FloatingPointer) + sizeof(TableHeader));
  u16 entries = 0;
  const auto add = [&](const auto& entry) {
    append(block, entry);
    ++entries;
  };
  for (u32 id = 0; id < vcpu_count; ++id) {
    add(Processor{.apic_id = static_cast<u8>(id),
                  .flags = static_cast<u8>(id == 0 ? kEnabled | kBootProcessor : kEnabled)});
  }
  add(BusEntry{});
  add(IoApicEntry{});
  for (u8 irq = 0; irq < kPinCount; ++irq) {
    add(InterruptEntry{.type = kIoInterrupt,
                       .interrupt_type = kVectored,
                       .source_irq = irq,
                       .destination_input = irq});
  }
  add(InterruptEntry{.type = kLocalInterrupt, .interrupt_type = kExternal});
  add(InterruptEntry{.type = kLocalInterrupt,
                     .interrupt_type = kNmi,
                     .destination_apic = kAllLocalApics,
                     .destination_input = 1});

  const auto table = std::span(block).subspan(sizeof(FloatingPointer));
  TableHeader header;
  header.length = static_cast<u16>(table.size());
  header.entry_count = entries;
  overwrite(table, 0, header);
  overwrite(table, offsetof(TableHeader, checksum), checksum(table));

  FloatingPointer pointer;
  pointer.table_address = static_cast<u32>(base.raw() + sizeof(FloatingPointer));
  pointer.checksum = checksum(std::as_bytes(std::span(&pointer, 1)));
  overwrite(block, 0, pointer);
  CHECK(block.size() <= layout::kMpTableSize, "the MP table fits its KiB");
  return block;
}

}  // namespace mote::arch
