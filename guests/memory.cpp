// SPDX-License-Identifier: Apache-2.0
// memory: prints the memory map, then writes and reads both ends of each RAM range. `expect=SIZE`
// names the total: what the map holds may be less by up to the reserved part of the first MiB.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/paging.hpp"
#include "guests/kit/report.hpp"

namespace kit {
namespace {

constexpr u64 kPage = 4 * kKiB;
constexpr u32 kMaxRanges = 16;

struct Kept {
  u64 address;
  u64 value;
};

u64 load(u64 address) {
  return *static_cast<volatile u64*>(physical(address));
}
void store(u64 address, u64 value) {
  *static_cast<volatile u64*>(physical(address)) = value;
}

// The last word of the first page and of the last one; what stands there comes back afterwards.
bool both_ends_hold(const MemoryMap& map) {
  Kept kept[2 * kMaxRanges];
  u32 count = 0;
  for (u32 i = 0; i < map.count && i < kMaxRanges; i++) {
    const MemoryRange range = map[i];
    if (range.type != MemoryRange::kRam || range.size < kPage) continue;
    for (const u64 address : {range.start + kPage - 8, range.end() - 8}) {
      kept[count++] = {address, load(address)};
    }
  }
  for (u32 i = 0; i < count; i++) store(kept[i].address, ~kept[i].address);
  bool holds = count > 0;
  for (u32 i = 0; i < count; i++) holds = holds && load(kept[i].address) == ~kept[i].address;
  for (u32 i = 0; i < count; i++) store(kept[i].address, kept[i].value);
  return holds;
}

bool is_disjoint(const MemoryMap& map) {
  for (u32 i = 0; i < map.count; i++) {
    for (u32 j = 0; j < i; j++) {
      if (map[i].start < map[j].end() && map[j].start < map[i].end()) return false;
    }
  }
  return map.count > 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  const MemoryMap& map = info.memory;
  for (u32 i = 0; i < map.count; i++) {
    const MemoryRange range = map[i];
    print("range ", hex(range.start), "..", hex(range.end()), " type ", range.type, '\n');
  }
  const u64 total = map.ram_size();
  print("total ", total / kKiB, " KiB\n");

  expect("memory.disjoint", is_disjoint(map), "ranges overlap");
  expect("memory.ends", both_ends_hold(map), "a word read back differs");
  if (const u64 wanted = find_number(info.command_line, "expect", 0); wanted != 0) {
    expect("memory.total", total <= wanted && total + kMiB > wanted, total, " instead of ", wanted);
  }
  done();
}

}  // namespace kit
