// SPDX-License-Identifier: Apache-2.0
// Memory behind the image: for rings and buffers of a size that the command line decides. First
// vCPU.
#include "guests/kit/arena.hpp"

#include "guests/kit/boot_info.hpp"

extern "C" const char image_end[];

namespace kit {
namespace {

// WHY a fourth of the range stays free at its top: monitors put initial RAM disks and tables there.
constexpr u64 kShareForOthers = 4;

u64 next_free = 0;

}  // namespace

u64 end_of_ram() {
  const auto image = reinterpret_cast<u64>(image_end);
  const MemoryMap& map = boot_info().memory;
  for (u32 i = 0; i < map.count; i++) {
    const MemoryRange range = map[i];
    if (range.type == MemoryRange::kRam && range.start < image && image <= range.end()) {
      return range.end();
    }
  }
  return image;
}

void* take_memory(u64 size, u64 alignment) {
  const auto image = reinterpret_cast<u64>(image_end);
  if (next_free == 0) next_free = image;
  const u64 end = end_of_ram();
  const u64 limit = end - (end - image) / kShareForOthers;
  const u64 start = (next_free + alignment - 1) & ~(alignment - 1);
  if (start > limit || size > limit - start) return nullptr;
  next_free = start + size;
  return reinterpret_cast<void*>(start);
}

}  // namespace kit
