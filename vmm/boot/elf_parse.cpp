// SPDX-License-Identifier: Apache-2.0
// Reads ELF headers from copies of the file's bytes.
#include "vmm/boot/elf_parse.hpp"

#include <elf.h>

#include <cstring>

#include "core/text.hpp"
#include "vmm/boot/image_error.hpp"

namespace mote {
namespace {

/// Xen's note with the 32-bit physical entry point [Xen, elfnote.h XEN_ELFNOTE_PHYS32_ENTRY].
constexpr u32 kPhys32Entry = 18;
constexpr char kXenName[] = "Xen";

template <class T>
bool copy_out(std::span<const std::byte> bytes, u64 offset, T& out) {
  if (offset > bytes.size() || sizeof(T) > bytes.size() - offset) return false;
  std::memcpy(&out, bytes.data() + offset, sizeof(T));
  return true;
}

bool in_file(u64 offset, u64 size, u64 file_size) {
  return offset <= file_size && size <= file_size - offset;
}

Error beyond_file(const char* what, u32 index, u64 offset, u64 size, u64 file_size) {
  return refuse(
      format("p_offset 0x%lx and p_filesz 0x%lx of program header %u (%s) reach beyond "
             "the end of the file at 0x%lx",
             offset, size, index, what, file_size));
}

Result<ElfSegment> parse_segment(const Elf64_Phdr& header, u32 index, u64 file_size) {
  if (header.p_filesz > header.p_memsz) {
    return refuse(format("p_filesz of program header %u is 0x%lx, but its p_memsz is only 0x%lx",
                         index, header.p_filesz, header.p_memsz));
  }
  if (!in_file(header.p_offset, header.p_filesz, file_size)) {
    return beyond_file("PT_LOAD", index, header.p_offset, header.p_filesz, file_size);
  }
  if (!Gpa(header.p_paddr).checked_add(header.p_memsz)) {
    return refuse(
        format("p_memsz of program header %u is 0x%lx, but with p_paddr 0x%lx that wraps "
               "around the end of the address space",
               index, header.p_memsz, header.p_paddr));
  }
  return ElfSegment{index, header.p_offset, header.p_filesz, Gpa(header.p_paddr), header.p_memsz};
}

Result<ElfNotes> parse_notes(const Elf64_Phdr& header, u32 index, u64 file_size) {
  if (header.p_filesz > kMaxNoteSize) {
    return refuse(
        format("p_filesz of program header %u (PT_NOTE) is 0x%lx, but at most 0x%lx bytes "
               "of notes are read",
               index, header.p_filesz, kMaxNoteSize),
        "strip notes that the kernel does not need");
  }
  if (!in_file(header.p_offset, header.p_filesz, file_size)) {
    return beyond_file("PT_NOTE", index, header.p_offset, header.p_filesz, file_size);
  }
  return ElfNotes{index, header.p_offset, header.p_filesz, header.p_align == 8 ? u64{8} : u64{4}};
}

Result<void> check_overlap(const std::vector<ElfSegment>& segments, const ElfSegment& added) {
  const GpaRange range{added.start, added.memory_size};
  for (const ElfSegment& other : segments) {
    if (!range.overlaps({other.start, other.memory_size})) continue;
    return refuse(
        format("program header %u puts its segment at 0x%lx-0x%lx, where program header "
               "%u has 0x%lx-0x%lx",
               added.index, range.start.raw(), range.end() - 1, other.index, other.start.raw(),
               other.start.raw() + other.memory_size - 1));
  }
  return {};
}

Result<Gpa> entry_of(const ElfNotes& notes, std::span<const std::byte> descriptor) {
  u64 entry = 0;
  if (descriptor.size() != 4 && descriptor.size() != 8) {
    return refuse(
        format("n_descsz of the PVH note in program header %u is %zu, but an entry point "
               "has 4 or 8 bytes",
               notes.index, descriptor.size()));
  }
  std::memcpy(&entry, descriptor.data(), descriptor.size());
  if (entry > ~u32{0}) {
    return refuse(
        format("the entry point in the PVH note in program header %u is 0x%lx, but it is "
               "entered in 32-bit mode",
               notes.index, entry));
  }
  return Gpa(entry);
}

}  // namespace

bool is_elf(std::span<const std::byte> head) {
  return head.size() >= SELFMAG && std::memcmp(head.data(), ELFMAG, SELFMAG) == 0;
}

Result<ElfHeader> parse_elf_header(std::span<const std::byte> head, u64 file_size) {
  Elf64_Ehdr header;
  if (!copy_out(head, 0, header)) {
    return refuse(
        format("the ELF header needs %zu bytes, but the file has %lu", sizeof(header), file_size));
  }
  if (!is_elf(head)) return refuse("e_ident does not begin with ELF's magic number", kForeignImage);
  const auto ident = [&](int index) { return static_cast<u32>(header.e_ident[index]); };
  if (ident(EI_CLASS) != ELFCLASS64) {
    return refuse(format("EI_CLASS is %u, but only 64-bit images (%d) can be loaded",
                         ident(EI_CLASS), ELFCLASS64),
                  kForeignImage);
  }
  if (ident(EI_DATA) != ELFDATA2LSB) {
    return refuse(format("EI_DATA is %u, but only little-endian images (%d) can be loaded",
                         ident(EI_DATA), ELFDATA2LSB),
                  kForeignImage);
  }
  if (header.e_machine != EM_X86_64) {
    return refuse(format("e_machine is %u, but only x86-64 (%d) can run here",
                         static_cast<u32>(header.e_machine), EM_X86_64),
                  kForeignImage);
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return refuse(format("e_type is %u, but only executables (ET_EXEC %d, ET_DYN %d) can be loaded",
                         static_cast<u32>(header.e_type), ET_EXEC, ET_DYN),
                  kForeignImage);
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr)) {
    return refuse(format("e_phentsize is %u, but a program header has %zu bytes",
                         static_cast<u32>(header.e_phentsize), sizeof(Elf64_Phdr)));
  }
  if (header.e_phnum == 0 || header.e_phnum > kMaxProgramHeaders) {
    return refuse(format("e_phnum is %u, but 1 to %u program headers can be loaded",
                         static_cast<u32>(header.e_phnum), kMaxProgramHeaders));
  }
  const u64 table_size = header.e_phnum * sizeof(Elf64_Phdr);
  if (!in_file(header.e_phoff, table_size, file_size)) {
    return refuse(
        format("e_phoff is 0x%lx, but %u program headers from there reach beyond the end "
               "of the file at 0x%lx",
               header.e_phoff, static_cast<u32>(header.e_phnum), file_size));
  }
  return ElfHeader{Gpa(header.e_entry), header.e_phoff, table_size};
}

Result<ElfProgram> parse_program_headers(std::span<const std::byte> table, u64 file_size) {
  ElfProgram program;
  Elf64_Phdr header;
  for (u32 index = 0; copy_out(table, index * sizeof(header), header); ++index) {
    if (header.p_type == PT_LOAD) {
      const ElfSegment segment = TRY(parse_segment(header, index, file_size));
      if (segment.memory_size == 0) continue;
      TRY(check_overlap(program.segments, segment));
      program.segments.push_back(segment);
    } else if (header.p_type == PT_NOTE) {
      program.notes.push_back(TRY(parse_notes(header, index, file_size)));
    }
  }
  if (program.segments.empty()) {
    return refuse("no program header is a PT_LOAD with a p_memsz above 0", kForeignImage);
  }
  return program;
}

namespace {

struct Note {
  u32 type = 0;
  std::string_view name;  // without its zero
  std::span<const std::byte> descriptor;
};

/// Calls `visit` with each note until it says true, which is the answer then.
template <class Visit>
Result<bool> any_note(const ElfNotes& notes, std::span<const std::byte> bytes, Visit visit) {
  Elf64_Nhdr header;
  u64 offset = 0;
  for (u32 note = 0; copy_out(bytes, offset, header); ++note) {
    const std::span<const std::byte> body = bytes.subspan(offset);
    // The sizes have 32 bits, so sums of them do not wrap.
    const u64 name_end = sizeof(header) + u64{header.n_namesz};
    const u64 descriptor_start = *align_up(name_end, notes.alignment);
    const u64 descriptor_end = descriptor_start + header.n_descsz;
    const bool name_fits = name_end <= body.size();
    const bool descriptor_fits = header.n_descsz == 0 || descriptor_end <= body.size();
    if (!name_fits || !descriptor_fits) {
      return refuse(
          format("%s of note %u in program header %u is %u, but only %zu bytes of the "
                 "segment are left",
                 name_fits ? "n_descsz" : "n_namesz", note, notes.index,
                 name_fits ? header.n_descsz : header.n_namesz, body.size() - sizeof(header)));
    }
    Note found{.type = header.n_type, .name = {}, .descriptor = {}};
    if (header.n_namesz > 0) {
      found.name = {reinterpret_cast<const char*>(body.data() + sizeof(header)),
                    header.n_namesz - std::size_t{1}};
    }
    const std::size_t start = header.n_descsz == 0 ? 0 : descriptor_start;
    found.descriptor = body.subspan(start, header.n_descsz);
    if (TRY(visit(found))) return true;
    offset += *align_up(descriptor_end, notes.alignment);
  }
  return false;
}

}  // namespace

Result<std::optional<Gpa>> find_pvh_entry(const ElfNotes& notes, std::span<const std::byte> bytes) {
  std::optional<Gpa> entry;
  TRY(any_note(notes, bytes, [&](const Note& note) -> Result<bool> {
    if (note.type != kPhys32Entry || note.name != kXenName) return false;
    entry = TRY(entry_of(notes, note.descriptor));
    return true;
  }));
  return entry;
}

Result<bool> has_linux_note(const ElfNotes& notes, std::span<const std::byte> bytes) {
  return any_note(notes, bytes,
                  [](const Note& note) -> Result<bool> { return note.name == "Linux"; });
}

}  // namespace mote
