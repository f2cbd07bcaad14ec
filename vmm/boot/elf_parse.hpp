// SPDX-License-Identifier: Apache-2.0
// Parser of ELF kernels: what to load where, and the PVH entry point. Pure; hostile input.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

inline constexpr u32 kMaxProgramHeaders = 128;
/// Bytes of one PT_NOTE segment that are searched at the most; Linux has about 500.
inline constexpr u64 kMaxNoteSize = 64 * kKiB;

/// What the file header says, checked against the size of the file.
struct ElfHeader {
  Gpa entry;             ///< e_entry, taken as a physical address
  u64 table_offset = 0;  ///< e_phoff
  u64 table_size = 0;    ///< bytes of program headers
};

/// A PT_LOAD segment: `file_size` bytes of the file at `start`, zeros behind up to `memory_size`.
struct ElfSegment {
  u32 index = 0;  ///< of its program header, for messages
  u64 file_offset = 0;
  u64 file_size = 0;
  Gpa start;  ///< p_paddr; p_vaddr is not looked at
  u64 memory_size = 0;
};

/// A PT_NOTE segment.
struct ElfNotes {
  u32 index = 0;
  u64 file_offset = 0;
  u64 size = 0;
  u64 alignment = 4;  ///< of names and descriptors: 4 or 8
};

struct ElfProgram {
  std::vector<ElfSegment> segments;  ///< not empty, none empty, none overlap, in the file's order
  std::vector<ElfNotes> notes;
};

/// True when `head`, the first bytes of a file, begin with ELF's magic number.
bool is_elf(std::span<const std::byte> head);

/// Reads the file header [ELF gABI, ELF header]. Accepted: 64-bit, little-endian, x86-64, ET_EXEC,
/// and ET_DYN, which is loaded at its own p_paddr like ET_EXEC (such kernels relocate themselves).
Result<ElfHeader> parse_elf_header(std::span<const std::byte> head, u64 file_size);

/// Reads the program headers. `table` holds the `table_size` bytes at `table_offset`.
Result<ElfProgram> parse_program_headers(std::span<const std::byte> table, u64 file_size);

/// Searches a PT_NOTE segment, whose bytes are `bytes`, for Xen's PHYS32_ENTRY [Xen, elfnote.h].
/// Its 32-bit entry point, or nothing when it has none. Notes that reach over the end are refused.
Result<std::optional<Gpa>> find_pvh_entry(const ElfNotes& notes, std::span<const std::byte> bytes);

/// Whether a PT_NOTE segment has a note of Linux's own, as every kernel's build has since 4.19
/// [Linux, elfnote-lto.h, build-salt.h]. Notes that reach over the end are refused.
Result<bool> has_linux_note(const ElfNotes& notes, std::span<const std::byte> bytes);

}  // namespace mote
