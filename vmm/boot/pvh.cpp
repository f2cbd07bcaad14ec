// SPDX-License-Identifier: Apache-2.0
// The structures of [Xen, hvm/start_info.h], written by the thread that builds the machine.
#include "vmm/boot/pvh.hpp"

#include <cstddef>

#include "core/check.hpp"
#include "vmm/arch/layout.hpp"

namespace mote {
namespace {

constexpr u32 kStartMagic = 0x336ec578;

struct HvmStartInfo {
  u32 magic;
  u32 version;
  u32 flags;
  u32 module_count;
  u64 module_list;
  u64 cmdline;
  u64 rsdp;
  u64 memory_map;
  u32 memory_map_count;
  u32 reserved;
};
static_assert(sizeof(HvmStartInfo) == 56 && offsetof(HvmStartInfo, memory_map) == 40);

struct HvmModule {
  u64 start;
  u64 size;
  u64 cmdline;
  u64 reserved;
};
static_assert(sizeof(HvmModule) == 32);

struct HvmMemoryMapEntry {
  u64 start;
  u64 size;
  u32 kind;
  u32 reserved;
};
static_assert(sizeof(HvmMemoryMapEntry) == 24);

/// All of it in one piece, written at once.
struct StartInfoPage {
  HvmStartInfo info;
  HvmModule module;
  HvmMemoryMapEntry map[kMaxMemoryMapEntries];
};
static_assert(sizeof(StartInfoPage) <= kPageSize);

}  // namespace

void write_start_info(const GuestMemory& memory, const BootInfo& info) {
  const u64 base = layout::kStartInfo.raw();
  StartInfoPage page{};
  page.info.magic = kStartMagic;
  page.info.version = 1;
  page.info.cmdline = layout::kCmdline.raw();
  page.info.rsdp = info.rsdp.value_or(Gpa()).raw();
  if (info.initrd) {
    page.info.module_count = 1;
    page.info.module_list = base + offsetof(StartInfoPage, module);
    page.module.start = info.initrd->start.raw();
    page.module.size = info.initrd->size;
  }
  page.info.memory_map = base + offsetof(StartInfoPage, map);
  CHECK(info.map.size() <= kMaxMemoryMapEntries, "the memory map is short");
  for (const MemoryMapEntry& entry : info.map) {
    page.map[page.info.memory_map_count++] = {entry.range.start.raw(), entry.range.size,
                                              static_cast<u32>(entry.kind), 0};
  }
  CHECK(memory.store(layout::kStartInfo, page), "guest RAM begins at 0");
}

}  // namespace mote
