// SPDX-License-Identifier: Apache-2.0
// The ELF parsers, on a file that is all in memory.
#include "vmm/boot/elf_parse.hpp"

using namespace mote;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const auto header = parse_elf_header(file, size);
  if (!header) return 0;
  const auto program =
      parse_program_headers(file.subspan(header->table_offset, header->table_size), size);
  if (!program) return 0;
  for (const ElfSegment& segment : program->segments) {
    CHECK(file.subspan(segment.file_offset, segment.file_size).size() <= segment.memory_size,
          "a segment lies in the file");
  }
  for (const ElfNotes& notes : program->notes) {
    const auto entry = find_pvh_entry(notes, file.subspan(notes.file_offset, notes.size));
    CHECK(!entry || entry->value_or(Gpa()) <= Gpa(~u32{0}), "the entry has 32 bits");
  }
  return 0;
}
