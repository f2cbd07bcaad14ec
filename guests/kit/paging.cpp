// SPDX-License-Identifier: Apache-2.0
// A window on memory above 4 GiB, which the boot tables do not map. First vCPU.
#include "guests/kit/paging.hpp"

extern "C" kit::u64 pdpt[512];

namespace kit {
namespace {

constexpr u64 kMapped = 4 * kGiB;
constexpr u64 kWindow = kMapped;
constexpr u64 kPage = 2 * kMiB;
constexpr u64 kTable = 0x07;  // present, writable, user
constexpr u64 kLeaf = 0xE7;   // kTable, accessed, dirty, 2 MiB

alignas(4096) u64 window_directory[512];

}  // namespace

void* physical(u64 address) {
  if (address < kMapped) return reinterpret_cast<void*>(address);
  pdpt[kWindow / kGiB] = reinterpret_cast<u64>(window_directory) | kTable;
  window_directory[0] = (address & ~(kPage - 1)) | kLeaf;
  asm volatile("invlpg (%0)" : : "r"(kWindow) : "memory");
  return reinterpret_cast<void*>(kWindow + address % kPage);
}

}  // namespace kit
