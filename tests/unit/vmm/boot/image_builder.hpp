// SPDX-License-Identifier: Apache-2.0
// Small kernels in memory for tests: an ELF and a bzImage that are in order, to be spoilt by one
// field each.
#pragma once

#include <asm/bootparam.h>
#include <elf.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/guest_memory.hpp"
#include "core/types.hpp"
#include "vmm/boot/image_source.hpp"

namespace mote::test {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

template <class T>
void append(Bytes& to, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

/// One note with its paddings.
inline Bytes note(std::string_view name, u32 type, const Bytes& descriptor, std::size_t align = 4) {
  Bytes bytes;
  append(bytes, Elf64_Nhdr{static_cast<Elf64_Word>(name.size() + 1),
                           static_cast<Elf64_Word>(descriptor.size()), type});
  const Bytes characters = bytes_of(name);
  bytes.insert(bytes.end(), characters.begin(), characters.end());
  bytes.resize(*align_up(bytes.size() + 1, align));
  bytes.insert(bytes.end(), descriptor.begin(), descriptor.end());
  bytes.resize(*align_up(bytes.size(), align));
  return bytes;
}

/// Xen's PHYS32_ENTRY with a descriptor of the size of T.
template <class T>
Bytes pvh_note(T entry, std::size_t align = 4) {
  Bytes descriptor;
  append(descriptor, entry);
  return note("Xen", 18, descriptor, align);
}

/// An ELF whose headers a test may change before it asks for the bytes.
class ElfBuilder {
 public:
  ElfBuilder() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
  }

  /// A PT_LOAD of `contents` at `start`; `memory_size` 0 means as much as there are contents.
  Elf64_Phdr& load(u64 start, const Bytes& contents, u64 memory_size = 0) {
    Elf64_Phdr& segment = add(PT_LOAD, contents);
    segment.p_paddr = start;
    segment.p_vaddr = start;
    if (memory_size != 0) segment.p_memsz = memory_size;
    return segment;
  }
  Elf64_Phdr& notes(const Bytes& contents, u64 align = 4) {
    Elf64_Phdr& segment = add(PT_NOTE, contents);
    segment.p_align = align;
    return segment;
  }

  Bytes build() {
    if (header.e_phnum == 0) header.e_phnum = static_cast<Elf64_Half>(segments.size());
    Bytes file;
    append(file, header);
    for (const Elf64_Phdr& segment : segments) append(file, segment);
    file.resize(kContents);
    file.insert(file.end(), contents_.begin(), contents_.end());
    return file;
  }

  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> segments;

 private:
  static constexpr u64 kContents = 0x400;  // room for 17 program headers

  Elf64_Phdr& add(u32 type, const Bytes& contents) {
    Elf64_Phdr segment{};
    segment.p_type = type;
    segment.p_offset = kContents + contents_.size();
    segment.p_filesz = segment.p_memsz = contents.size();
    contents_.insert(contents_.end(), contents.begin(), contents.end());
    return segments.emplace_back(segment);
  }

  Bytes contents_;
};

/// A bzImage with two setup sectors and 1 KiB of protected-mode part, whose bytes are 0x5a.
class BzImageBuilder {
 public:
  BzImageBuilder() {
    header.setup_sects = 2;
    header.boot_flag = 0xaa55;
    header.jump = 0x6aeb;  // the header ends at 0x202 + 0x6a
    std::memcpy(&header.header, "HdrS", 4);
    header.version = 0x020f;
    header.loadflags = LOADED_HIGH;
    header.xloadflags = XLF_KERNEL_64;
    header.syssize = 1024 / 16;
    header.kernel_alignment = 0x200000;
    header.relocatable_kernel = 1;
    header.pref_address = 0x200000;
    header.init_size = 0x3000;
    header.initrd_addr_max = 0x7fffffff;
    header.cmdline_size = 255;
  }

  Bytes build() const {
    Bytes file(kProtected);
    std::memcpy(file.data() + 0x1f1, &header, sizeof(header));
    file.resize(kProtected + 1024, std::byte{0x5a});
    return file;
  }

  setup_header header{};

 private:
  static constexpr std::size_t kProtected = std::size_t{3} * 512;
};

/// RAM of one guest, in one region from 0 on, as much of it as lies below the hole.
inline GuestMemory make_memory(u64 size) {
  std::vector<GpaRange> ranges{{Gpa(0), std::min(size, 3 * kGiB)}};
  if (size > 3 * kGiB) ranges.push_back({Gpa(4 * kGiB), size - 3 * kGiB});
  auto memory = GuestMemory::create(ranges);
  CHECK(memory, "the host has address space");
  return *std::move(memory);
}

}  // namespace mote::test
