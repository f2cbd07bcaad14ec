// SPDX-License-Identifier: Apache-2.0
// Chooses the kind of kernel, then places initrd, command line and boot information.
#include "vmm/boot/loader.hpp"

#include <algorithm>
#include <array>

#include "core/check.hpp"
#include "core/text.hpp"
#include "vmm/arch/layout.hpp"
#include "vmm/boot/bzimage_load.hpp"
#include "vmm/boot/bzimage_parse.hpp"
#include "vmm/boot/elf_load.hpp"
#include "vmm/boot/elf_parse.hpp"
#include "vmm/boot/image_error.hpp"
#include "vmm/boot/linux_params.hpp"
#include "vmm/boot/memory_map.hpp"
#include "vmm/boot/pvh.hpp"

namespace mote {
namespace {

/// The first read: a bzImage's setup header, or an ELF's headers and often its notes.
constexpr std::size_t kHeadSize = 2 * kPageSize;

Result<PlacedKernel> place_kernel(const GuestMemory& memory, const ImageSource& source) {
  std::array<std::byte, kHeadSize> buffer;
  const auto head = std::span(buffer).first(std::min<u64>(kHeadSize, source.size()));
  TRY(source.read_at(0, head));
  if (is_bzimage(head)) return load_bzimage(memory, source, head);
  if (is_elf(head)) return load_elf(memory, source, head);
  return refuse("neither ELF's magic number nor a bzImage's setup header is there", kForeignImage);
}

/// The highest page-aligned place for `size` bytes above the kernel.
Result<GpaRange> place_initrd(const GuestMemory& memory, const PlacedKernel& kernel, u64 size) {
  if (size == 0) return refuse("the file is empty", "give an initramfs, or leave the initrd out");
  const GpaRange space = image_space(memory).back();
  const u64 end = std::min(space.end(), kernel.initrd_end);
  u64 start = space.start.raw();
  for (const GpaRange& range : kernel.occupied) start = std::max(start, range.end());
  start = *align_up(start, kPageSize);
  if (start > end || size > end - start) {
    return refuse(format("0x%lx bytes do not fit between the kernel's end at 0x%lx and 0x%lx, the "
                         "end of %s",
                         size, start, end,
                         end < space.end() ? "what the kernel can reach (initrd_addr_max)"
                                           : "memory below 4 GiB"),
                  "give the guest more memory, or a smaller initrd");
  }
  return GpaRange{Gpa((end - size) & ~(kPageSize - 1)), size};
}

Result<GpaRange> load_initrd(const GuestMemory& memory, const PlacedKernel& kernel,
                             const ImageSource& source) {
  const GpaRange range = TRY(place_initrd(memory, kernel, source.size()));
  const auto target = memory.slice(range.start, range.size);
  CHECK(target, "image space is RAM");
  TRY(source.read_at(0, *target));
  return range;
}

Result<void> write_cmdline(const GuestMemory& memory, std::string_view cmdline, std::size_t limit,
                           std::string_view kernel) {
  if (cmdline.size() > limit) {
    return Error::config(
        format("kernel command line: %zu bytes, but %.*s takes at most %zu -- "
               "shorten it",
               cmdline.size(), static_cast<int>(kernel.size()), kernel.data(), limit));
  }
  // The terminating zero is there: the memory is fresh.
  CHECK(memory.write(layout::kCmdline, std::as_bytes(std::span(cmdline))), "it lies below 64 KiB");
  return {};
}

}  // namespace

Result<LoadedKernel> load_kernel(const GuestMemory& memory, const ImageSource& kernel,
                                 const ImageSource* initrd, std::string_view cmdline,
                                 std::optional<Gpa> rsdp) {
  auto placed = place_kernel(memory, kernel);
  if (!placed) return std::move(placed).error().within(kernel.name());
  TRY(write_cmdline(memory, cmdline, placed->cmdline_size, kernel.name()));

  const auto map = memory_map(memory);
  BootInfo info{.map = map, .rsdp = rsdp};
  if (initrd != nullptr) {
    auto range = load_initrd(memory, *placed, *initrd);
    if (!range) return std::move(range).error().within(initrd->name());
    info.initrd = *range;
  }
  if (placed->protocol == EntryProtocol::kPvh) {
    write_start_info(memory, info);
    return LoadedKernel{placed->protocol, placed->entry, layout::kStartInfo};
  }
  write_boot_params(memory, placed->header, info);
  return LoadedKernel{placed->protocol, placed->entry, layout::kBootParams};
}

}  // namespace mote
