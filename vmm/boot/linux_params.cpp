// SPDX-License-Identifier: Apache-2.0
// Fills in boot_params; called by the thread that builds the machine.
#include "vmm/boot/linux_params.hpp"

#include <cstddef>

#include "core/check.hpp"
#include "vmm/arch/layout.hpp"

namespace mote {
namespace {

constexpr u16 kBootFlag = 0xaa55;
constexpr u32 kHeaderMagic = 0x53726448;  // "HdrS"
constexpr u16 kVersion212 = 0x020c;
/// A boot loader without a number of its own [boot.rst type_of_loader].
constexpr u8 kUnknownLoader = 0xff;

static_assert(sizeof(boot_params) == kPageSize);
static_assert(offsetof(boot_params, hdr) == 0x1f1);
static_assert(offsetof(boot_params, acpi_rsdp_addr) == 0x70);
static_assert(offsetof(boot_params, e820_table) == 0x2d0);
static_assert(kMaxMemoryMapEntries <= E820_MAX_ENTRIES_ZEROPAGE);

}  // namespace

setup_header plain_setup_header() {
  setup_header header{};
  header.boot_flag = kBootFlag;
  header.header = kHeaderMagic;
  header.version = kVersion212;
  header.loadflags = LOADED_HIGH;
  header.cmdline_size = kMaxCmdline;
  return header;
}

void write_boot_params(const GuestMemory& memory, const setup_header& header,
                       const BootInfo& info) {
  boot_params params{};
  params.hdr = header;
  params.hdr.type_of_loader = kUnknownLoader;
  params.hdr.cmd_line_ptr = static_cast<u32>(layout::kCmdline.raw());
  params.hdr.setup_data = 0;
  if (info.initrd) {
    params.hdr.ramdisk_image = static_cast<u32>(info.initrd->start.raw());
    params.hdr.ramdisk_size = static_cast<u32>(info.initrd->size);
  }
  params.acpi_rsdp_addr = info.rsdp.value_or(Gpa()).raw();
  CHECK(info.map.size() <= kMaxMemoryMapEntries, "the memory map is short");
  for (const MemoryMapEntry& entry : info.map) {
    params.e820_table[params.e820_entries++] = {entry.range.start.raw(), entry.range.size,
                                                static_cast<u32>(entry.kind)};
  }
  CHECK(memory.store(layout::kBootParams, params), "guest RAM begins at 0");
}

}  // namespace mote
