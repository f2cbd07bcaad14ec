// SPDX-License-Identifier: Apache-2.0
// From the parsed headers of an ELF to its segments in guest RAM.
#include "vmm/boot/elf_load.hpp"

#include <algorithm>
#include <optional>

#include "core/check.hpp"
#include "core/text.hpp"
#include "vmm/boot/elf_parse.hpp"
#include "vmm/boot/image_error.hpp"
#include "vmm/boot/linux_params.hpp"
#include "vmm/boot/memory_map.hpp"

namespace mote {
namespace {

/// Bytes of the file: a part of `head` where that reaches, else read into `buffer`.
Result<std::span<const std::byte>> view(const ImageSource& source, std::span<const std::byte> head,
                                        u64 offset, u64 size, std::vector<std::byte>& buffer) {
  if (offset <= head.size() && size <= head.size() - offset) return head.subspan(offset, size);
  buffer.resize(size);
  TRY(source.read_at(offset, buffer));
  return std::span<const std::byte>(buffer);
}

Result<std::optional<Gpa>> pvh_entry(const ImageSource& source, std::span<const std::byte> head,
                                     std::span<const ElfNotes> all_notes) {
  std::vector<std::byte> buffer;
  for (const ElfNotes& notes : all_notes) {
    const auto bytes = TRY(view(source, head, notes.file_offset, notes.size, buffer));
    const std::optional<Gpa> entry = TRY(find_pvh_entry(notes, bytes));
    if (entry) return entry;
  }
  return std::optional<Gpa>();
}

}  // namespace

Result<bool> is_linux_elf(const ImageSource& source, std::span<const std::byte> head) {
  const ElfHeader header = TRY(parse_elf_header(head, source.size()));
  std::vector<std::byte> buffer;
  const auto table = TRY(view(source, head, header.table_offset, header.table_size, buffer));
  const ElfProgram program = TRY(parse_program_headers(table, source.size()));
  for (const ElfNotes& notes : program.notes) {
    const auto bytes = TRY(view(source, head, notes.file_offset, notes.size, buffer));
    if (TRY(has_linux_note(notes, bytes))) return true;
  }
  return false;
}

namespace {

Result<void> check_placement(std::span<const ElfSegment> segments,
                             std::span<const GpaRange> space) {
  for (const ElfSegment& segment : segments) {
    if (lies_within(space, segment.start, segment.memory_size)) continue;
    return refuse(
        format("p_paddr 0x%lx and p_memsz 0x%lx of program header %u leave the memory "
               "for images, %s",
               segment.start.raw(), segment.memory_size, segment.index, describe(space).c_str()),
        "link the image at 1 MiB or above, or give the guest more memory");
  }
  return {};
}

/// The entry point must be among the bytes that come from the file.
Result<void> check_entry(std::span<const ElfSegment> segments, Gpa entry, const char* field) {
  const bool loaded = std::any_of(segments.begin(), segments.end(), [&](const ElfSegment& segment) {
    return GpaRange{segment.start, segment.file_size}.contains(entry);
  });
  if (loaded) return {};
  return refuse(format("%s is 0x%lx, but no segment has bytes for that physical address", field,
                       entry.raw()));
}

}  // namespace

Result<PlacedKernel> load_elf(const GuestMemory& memory, const ImageSource& source,
                              std::span<const std::byte> head) {
  const ElfHeader header = TRY(parse_elf_header(head, source.size()));
  std::vector<std::byte> buffer;
  const auto table = TRY(view(source, head, header.table_offset, header.table_size, buffer));
  const ElfProgram program = TRY(parse_program_headers(table, source.size()));
  const std::optional<Gpa> pvh = TRY(pvh_entry(source, head, program.notes));

  PlacedKernel kernel;
  kernel.protocol = pvh ? EntryProtocol::kPvh : EntryProtocol::kLinux64;
  kernel.entry = pvh.value_or(header.entry);
  kernel.header = plain_setup_header();
  TRY(check_placement(program.segments, image_space(memory)));
  TRY(check_entry(program.segments, kernel.entry,
                  pvh ? "the entry point in the PVH note" : "e_entry"));
  for (const ElfSegment& segment : program.segments) {
    kernel.occupied.push_back({segment.start, segment.memory_size});
    if (segment.file_size == 0) continue;
    const auto target = memory.slice(segment.start, segment.file_size);
    CHECK(target, "a placement that was checked is in RAM");
    TRY(source.read_at(segment.file_offset, *target));
  }
  return kernel;
}

}  // namespace mote
