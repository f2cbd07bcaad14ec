// SPDX-License-Identifier: Apache-2.0
// Behaviour of the ELF parser.
#include "vmm/boot/elf_parse.hpp"

#include <gtest/gtest.h>

#include "tests/unit/vmm/boot/image_builder.hpp"

namespace mote {
namespace {

using test::Bytes;
using test::bytes_of;
using test::ElfBuilder;

ElfBuilder sound_elf() {
  ElfBuilder elf;
  elf.header.e_entry = 0x100000;
  elf.load(0x100000, bytes_of("code"));
  return elf;
}

Result<ElfHeader> header_of(const Bytes& file) {
  return parse_elf_header(file, file.size());
}

Result<ElfProgram> program_of(const Bytes& file) {
  const ElfHeader header = TRY(header_of(file));
  return parse_program_headers(std::span(file).subspan(header.table_offset, header.table_size),
                               file.size());
}

std::string header_refusal(const Bytes& file) {
  const auto result = header_of(file);
  return result ? "accepted" : result.error().message();
}

std::string program_refusal(const Bytes& file) {
  const auto result = program_of(file);
  return result ? "accepted" : result.error().message();
}

Result<std::optional<Gpa>> pvh_in(const Bytes& notes, u64 alignment = 4) {
  return find_pvh_entry({.index = 3, .size = notes.size(), .alignment = alignment}, notes);
}

std::string pvh_refusal(const Bytes& notes) {
  const auto result = pvh_in(notes);
  return result ? "accepted" : result.error().message();
}

constexpr char kRemedy[] = " -- the image is damaged or incomplete: build or copy it again";
constexpr char kForeign[] =
    " -- give an x86-64 ELF (with a PVH note, or entered by the 64-bit Linux boot protocol) or a "
    "bzImage";

TEST(ElfHeader, TellsEntryAndTable) {
  const auto header = header_of(sound_elf().build());
  ASSERT_TRUE(header);
  EXPECT_EQ(header->entry, Gpa(0x100000));
  EXPECT_EQ(header->table_offset, 64u);
  EXPECT_EQ(header->table_size, 56u);
}

TEST(ElfHeader, AcceptsStaticPie) {
  ElfBuilder elf = sound_elf();
  elf.header.e_type = ET_DYN;
  EXPECT_TRUE(header_of(elf.build()));
}

TEST(ElfHeader, RefusesAFileThatEndsWithinIt) {
  Bytes file = sound_elf().build();
  file.resize(63);
  EXPECT_EQ(header_refusal(file),
            std::string("the ELF header needs 64 bytes, but the file has 63") + kRemedy);
}

TEST(ElfHeader, RefusesOtherMagic) {
  ElfBuilder elf = sound_elf();
  elf.header.e_ident[0] = 0x7e;
  EXPECT_EQ(header_refusal(elf.build()),
            std::string("e_ident does not begin with ELF's magic number") + kForeign);
}

TEST(ElfHeader, Refuses32BitImages) {
  ElfBuilder elf = sound_elf();
  elf.header.e_ident[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(header_refusal(elf.build()),
            std::string("EI_CLASS is 1, but only 64-bit images (2) can be loaded") + kForeign);
}

TEST(ElfHeader, RefusesBigEndianImages) {
  ElfBuilder elf = sound_elf();
  elf.header.e_ident[EI_DATA] = ELFDATA2MSB;
  EXPECT_EQ(
      header_refusal(elf.build()),
      std::string("EI_DATA is 2, but only little-endian images (1) can be loaded") + kForeign);
}

TEST(ElfHeader, RefusesOtherMachines) {
  ElfBuilder elf = sound_elf();
  elf.header.e_machine = EM_AARCH64;
  EXPECT_EQ(header_refusal(elf.build()),
            std::string("e_machine is 183, but only x86-64 (62) can run here") + kForeign);
}

TEST(ElfHeader, RefusesObjectFiles) {
  ElfBuilder elf = sound_elf();
  elf.header.e_type = ET_REL;
  EXPECT_EQ(header_refusal(elf.build()),
            std::string("e_type is 1, but only executables (ET_EXEC 2, ET_DYN 3) can be loaded") +
                kForeign);
}

TEST(ElfHeader, RefusesOtherSizesOfProgramHeaders) {
  ElfBuilder elf = sound_elf();
  elf.header.e_phentsize = 32;
  EXPECT_EQ(header_refusal(elf.build()),
            std::string("e_phentsize is 32, but a program header has 56 bytes") + kRemedy);
}

TEST(ElfHeader, RefusesTooManyProgramHeaders) {
  ElfBuilder elf = sound_elf();
  elf.header.e_phnum = 129;
  EXPECT_EQ(header_refusal(elf.build()),
            std::string("e_phnum is 129, but 1 to 128 program headers can be loaded") + kRemedy);
}

TEST(ElfHeader, RefusesAnImageWithoutProgramHeaders) {
  ElfBuilder elf;
  EXPECT_EQ(header_refusal(elf.build()),
            std::string("e_phnum is 0, but 1 to 128 program headers can be loaded") + kRemedy);
}

TEST(ElfHeader, RefusesATableBeyondTheFile) {
  ElfBuilder elf = sound_elf();
  elf.header.e_phoff = 0x400;
  EXPECT_EQ(header_refusal(elf.build()),
            std::string("e_phoff is 0x400, but 1 program headers from there reach beyond the end "
                        "of the file at 0x404") +
                kRemedy);
}

TEST(ElfHeader, RefusesATableThatWrapsAround) {
  ElfBuilder elf = sound_elf();
  elf.header.e_phoff = ~u64{0} - 8;
  EXPECT_EQ(header_refusal(elf.build()),
            std::string("e_phoff is 0xfffffffffffffff7, but 1 program headers from there reach "
                        "beyond the end of the file at 0x404") +
                kRemedy);
}

TEST(ElfProgram, ListsSegmentsByPhysicalAddress) {
  ElfBuilder elf;
  elf.load(0x100000, bytes_of("code")).p_vaddr = 0xffffffff80000000;
  elf.load(0x200000, bytes_of("data!"), 0x5000);
  const auto program = program_of(elf.build());
  ASSERT_TRUE(program);
  ASSERT_EQ(program->segments.size(), 2u);
  EXPECT_EQ(program->segments[0].start, Gpa(0x100000));
  EXPECT_EQ(program->segments[0].file_size, 4u);
  EXPECT_EQ(program->segments[1].index, 1u);
  EXPECT_EQ(program->segments[1].file_offset, 0x404u);
  EXPECT_EQ(program->segments[1].file_size, 5u);
  EXPECT_EQ(program->segments[1].memory_size, 0x5000u);
}

TEST(ElfProgram, LeavesEmptySegmentsOut) {
  ElfBuilder elf = sound_elf();
  elf.load(0x100000, {});
  const auto program = program_of(elf.build());
  ASSERT_TRUE(program);
  EXPECT_EQ(program->segments.size(), 1u);
}

TEST(ElfProgram, AcceptsSegmentsThatTouch) {
  ElfBuilder elf = sound_elf();
  elf.load(0x100004, bytes_of("data"));
  EXPECT_TRUE(program_of(elf.build()));
}

TEST(ElfProgram, ListsNotesWithTheirAlignment) {
  ElfBuilder elf = sound_elf();
  elf.notes(bytes_of("12345678"), 8);
  elf.notes(bytes_of("1234"), 0x1000);
  const auto program = program_of(elf.build());
  ASSERT_TRUE(program);
  ASSERT_EQ(program->notes.size(), 2u);
  EXPECT_EQ(program->notes[0].alignment, 8u);
  EXPECT_EQ(program->notes[1].alignment, 4u);
  EXPECT_EQ(program->notes[1].size, 4u);
}

TEST(ElfProgram, RefusesMoreFileThanMemory) {
  ElfBuilder elf = sound_elf();
  elf.segments[0].p_memsz = 3;
  EXPECT_EQ(
      program_refusal(elf.build()),
      std::string("p_filesz of program header 0 is 0x4, but its p_memsz is only 0x3") + kRemedy);
}

TEST(ElfProgram, RefusesATruncatedSegment) {
  Bytes file = sound_elf().build();
  file.pop_back();
  EXPECT_EQ(program_refusal(file),
            std::string("p_offset 0x400 and p_filesz 0x4 of program header 0 (PT_LOAD) reach "
                        "beyond the end of the file at 0x403") +
                kRemedy);
}

TEST(ElfProgram, RefusesFileOffsetsThatWrapAround) {
  ElfBuilder elf = sound_elf();
  elf.segments[0].p_offset = ~u64{0};
  EXPECT_EQ(program_refusal(elf.build()),
            std::string("p_offset 0xffffffffffffffff and p_filesz 0x4 of program header 0 "
                        "(PT_LOAD) reach beyond the end of the file at 0x404") +
                kRemedy);
}

TEST(ElfProgram, RefusesMemoryThatWrapsAround) {
  ElfBuilder elf = sound_elf();
  elf.segments[0].p_memsz = ~u64{0};
  EXPECT_EQ(program_refusal(elf.build()),
            std::string("p_memsz of program header 0 is 0xffffffffffffffff, but with p_paddr "
                        "0x100000 that wraps around the end of the address space") +
                kRemedy);
}

TEST(ElfProgram, RefusesOverlappingSegments) {
  ElfBuilder elf;
  elf.load(0x100000, bytes_of("code"), 0x1001);
  elf.load(0x101000, bytes_of("data"));
  EXPECT_EQ(program_refusal(elf.build()),
            std::string("program header 1 puts its segment at 0x101000-0x101003, where program "
                        "header 0 has 0x100000-0x101000") +
                kRemedy);
}

TEST(ElfProgram, RefusesAnImageThatLoadsNothing) {
  ElfBuilder elf;
  elf.notes(bytes_of("1234"));
  EXPECT_EQ(program_refusal(elf.build()),
            std::string("no program header is a PT_LOAD with a p_memsz above 0") + kForeign);
}

TEST(ElfProgram, RefusesNotesBeyondTheFile) {
  ElfBuilder elf = sound_elf();
  elf.notes(bytes_of("1234")).p_filesz = 5;
  EXPECT_EQ(program_refusal(elf.build()),
            std::string("p_offset 0x404 and p_filesz 0x5 of program header 1 (PT_NOTE) reach "
                        "beyond the end of the file at 0x408") +
                kRemedy);
}

TEST(ElfProgram, RefusesHugeNotes) {
  ElfBuilder elf = sound_elf();
  elf.notes(bytes_of("1234")).p_filesz = 0x10001;
  EXPECT_EQ(program_refusal(elf.build()),
            "p_filesz of program header 1 (PT_NOTE) is 0x10001, but at most 0x10000 bytes of notes "
            "are read -- strip notes that the kernel does not need");
}

TEST(LinuxNote, TellsALinuxFromOthers) {
  const auto in = [](const Bytes& notes) {
    return has_linux_note({.index = 0, .size = notes.size(), .alignment = 4}, notes);
  };
  Bytes notes = test::pvh_note(u32{0x1000200});
  EXPECT_FALSE(*in(notes));
  EXPECT_FALSE(*in(test::note("Linu", 0x100, bytes_of("salt"))));
  const Bytes salt = test::note("Linux", 0x100, bytes_of("salt"));
  notes.insert(notes.end(), salt.begin(), salt.end());
  EXPECT_TRUE(*in(notes));
  notes.pop_back();
  EXPECT_FALSE(in(notes).has_value()) << "it reaches over the end";
}

TEST(PvhNote, IsFoundWithFourBytes) {
  const auto entry = pvh_in(test::pvh_note(u32{0x1000200}));
  ASSERT_TRUE(entry);
  EXPECT_EQ(*entry, Gpa(0x1000200));
}

TEST(PvhNote, IsFoundWithEightBytes) {
  const auto entry = pvh_in(test::pvh_note(u64{0x1000200}));
  ASSERT_TRUE(entry);
  EXPECT_EQ(*entry, Gpa(0x1000200));
}

TEST(PvhNote, IsFoundBehindOthers) {
  Bytes notes = test::note("GNU", 18, bytes_of("12345"));
  const Bytes same_name = test::note("Xen", 6, bytes_of("linux"));
  const Bytes wanted = test::pvh_note(u32{0x1234});
  notes.insert(notes.end(), same_name.begin(), same_name.end());
  notes.insert(notes.end(), wanted.begin(), wanted.end());
  const auto entry = pvh_in(notes);
  ASSERT_TRUE(entry);
  EXPECT_EQ(*entry, Gpa(0x1234));
}

TEST(PvhNote, IsFoundInNotesAlignedToEight) {
  Bytes notes = test::note("GNU", 5, bytes_of("12345"), 8);
  const Bytes wanted = test::pvh_note(u32{0x1234}, 8);
  notes.insert(notes.end(), wanted.begin(), wanted.end());
  const auto entry = pvh_in(notes, 8);
  ASSERT_TRUE(entry);
  EXPECT_EQ(*entry, Gpa(0x1234));
}

TEST(PvhNote, IsAbsentFromOtherNotes) {
  const auto entry = pvh_in(test::note("GNU", 18, bytes_of("1234")));
  ASSERT_TRUE(entry);
  EXPECT_FALSE(entry->has_value());
}

TEST(PvhNote, IsAbsentFromAnEmptySegment) {
  const auto entry = pvh_in({});
  ASSERT_TRUE(entry);
  EXPECT_FALSE(entry->has_value());
}

TEST(PvhNote, RefusesANameBeyondTheSegment) {
  Bytes notes;
  test::append(notes, Elf64_Nhdr{0xfffffff0, 0, 18});
  EXPECT_EQ(pvh_refusal(notes),
            std::string("n_namesz of note 0 in program header 3 is 4294967280, but only 0 bytes of "
                        "the segment are left") +
                kRemedy);
}

TEST(PvhNote, RefusesADescriptorBeyondTheSegment) {
  Bytes notes = test::pvh_note(u32{0x1234});
  notes.pop_back();
  EXPECT_EQ(pvh_refusal(notes),
            std::string("n_descsz of note 0 in program header 3 is 4, but only 7 bytes of the "
                        "segment are left") +
                kRemedy);
}

TEST(PvhNote, RefusesOtherSizesOfEntryPoints) {
  EXPECT_EQ(pvh_refusal(test::note("Xen", 18, {})),
            std::string("n_descsz of the PVH note in program header 3 is 0, but an entry point has "
                        "4 or 8 bytes") +
                kRemedy);
}

TEST(PvhNote, RefusesAnEntryPointAbove4GiB) {
  EXPECT_EQ(pvh_refusal(test::pvh_note(u64{0x100000000})),
            std::string("the entry point in the PVH note in program header 3 is 0x100000000, but "
                        "it is entered in 32-bit mode") +
                kRemedy);
}

}  // namespace
}  // namespace mote
