// SPDX-License-Identifier: Apache-2.0
// The whole loader with a small initrd, in 16 MiB of guest RAM.
#include "vmm/boot/loader.hpp"

#include <array>

#include "vmm/arch/layout.hpp"
#include "vmm/boot/memory_map.hpp"

using namespace mote;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  const std::array<GpaRange, 1> ram{{{Gpa(0), 16 * kMiB}}};
  const auto memory = GuestMemory::create(ram);
  CHECK(memory, "the host has 16 MiB of address space");
  const std::array<std::byte, 100> archive{};
  const MemoryImage kernel("kernel", std::as_bytes(std::span(data, size)));
  const MemoryImage initrd("initrd", archive);
  const auto loaded = load_kernel(*memory, kernel, &initrd, "quiet", layout::kAcpi);
  if (!loaded) {
    CHECK(loaded.error().fault() != Fault::kHost, "the host is not to blame");
    return 0;
  }
  CHECK(lies_within(image_space(*memory), loaded->entry, 1), "the entry is in RAM");
  CHECK(loaded->entry < Gpa(16 * kMiB - kPageSize), "the entry is below the initrd");
  std::array<std::byte, 0x60400> tables{};
  CHECK(memory->read(layout::kLowRamEnd, tables), "firmware tables are in RAM");
  CHECK(tables == decltype(tables){}, "nothing was written where firmware tables go");
  return 0;
}
