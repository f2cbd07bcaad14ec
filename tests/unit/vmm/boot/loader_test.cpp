// SPDX-License-Identifier: Apache-2.0
// Behaviour of the loader: what is in guest RAM, and what is refused.
#include "vmm/boot/loader.hpp"

#include <gtest/gtest.h>

#include "tests/unit/vmm/boot/image_builder.hpp"
#include "vmm/arch/layout.hpp"

namespace mote {
namespace {

using test::Bytes;
using test::bytes_of;
using test::BzImageBuilder;
using test::ElfBuilder;

ElfBuilder linux_elf(u64 start = 0x100000) {
  ElfBuilder elf;
  elf.header.e_entry = start;
  elf.load(start, bytes_of("code"), 0x2800);
  return elf;
}

ElfBuilder pvh_elf() {
  ElfBuilder elf = linux_elf();
  elf.notes(test::pvh_note(u32{0x100002}));
  return elf;
}

/// Everything that one call needs.
struct Load {
  explicit Load(Bytes file) : kernel(std::move(file)) {}

  Result<LoadedKernel> run() {
    const MemoryImage kernel_source("kernel 'k'", kernel);
    const MemoryImage initrd_source("initrd 'i'",
                                    initrd ? std::span(*initrd) : std::span<std::byte>());
    return load_kernel(memory, kernel_source, initrd ? &initrd_source : nullptr, cmdline, rsdp);
  }
  std::string refusal() {
    const auto result = run();
    return result ? "accepted" : result.error().message();
  }
  std::string text_at(u64 gpa, std::size_t size) const {
    std::string text(size, '\0');
    CHECK(memory.read(Gpa(gpa), std::as_writable_bytes(std::span(text))), "in RAM");
    return text;
  }
  template <class T>
  T at(u64 gpa) const {
    T value{};
    CHECK(memory.load(Gpa(gpa), value), "in RAM");
    return value;
  }
  boot_params params() const { return at<boot_params>(layout::kBootParams.raw()); }

  GuestMemory memory = test::make_memory(16 * kMiB);
  Bytes kernel;
  std::optional<Bytes> initrd;
  std::string cmdline = "quiet";
  std::optional<Gpa> rsdp = Gpa(0xe0000);
};

constexpr u64 kInfo = layout::kStartInfo.raw();

TEST(LoadPvh, EntersAtTheNotesAddress) {
  Load load(pvh_elf().build());
  const auto kernel = load.run();
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->protocol, EntryProtocol::kPvh);
  EXPECT_EQ(kernel->entry, Gpa(0x100002));
  EXPECT_EQ(kernel->boot_info, layout::kStartInfo);
}

TEST(LoadPvh, PutsSegmentsAtTheirPhysicalAddresses) {
  ElfBuilder elf = pvh_elf();
  elf.load(0x20000, bytes_of("low"));
  Load load(elf.build());
  ASSERT_TRUE(load.run());
  EXPECT_EQ(load.text_at(0x100000, 5), std::string("code\0", 5));
  EXPECT_EQ(load.text_at(0x20000, 4), std::string("low\0", 4));
}

TEST(LoadPvh, WritesStartInfoVersion1) {
  Load load(pvh_elf().build());
  ASSERT_TRUE(load.run());
  EXPECT_EQ(load.at<u32>(kInfo), 0x336ec578u);
  EXPECT_EQ(load.at<u32>(kInfo + 4), 1u);
  EXPECT_EQ(load.at<u64>(kInfo + 24), layout::kCmdline.raw());
  EXPECT_EQ(load.at<u64>(kInfo + 32), 0xe0000u);
}

TEST(LoadPvh, TellsOfNoRsdpWithoutAcpi) {
  Load load(pvh_elf().build());
  load.rsdp.reset();
  ASSERT_TRUE(load.run());
  EXPECT_EQ(load.at<u64>(kInfo + 32), 0u);
}

TEST(LoadPvh, WritesTheMemoryMap) {
  Load load(pvh_elf().build());
  ASSERT_TRUE(load.run());
  ASSERT_EQ(load.at<u32>(kInfo + 48), 3u);
  const u64 map = load.at<u64>(kInfo + 40);
  EXPECT_EQ(load.at<u64>(map + 24), 0x9fc00u);    // second entry: start,
  EXPECT_EQ(load.at<u64>(map + 32), 0x60400u);    // size,
  EXPECT_EQ(load.at<u32>(map + 40), 2u);          // reserved
  EXPECT_EQ(load.at<u64>(map + 48), 0x100000u);   // third entry: start,
  EXPECT_EQ(load.at<u64>(map + 56), 15u * kMiB);  // size,
  EXPECT_EQ(load.at<u32>(map + 64), 1u);          // RAM
}

TEST(LoadPvh, ListsNoModuleWithoutAnInitrd) {
  Load load(pvh_elf().build());
  ASSERT_TRUE(load.run());
  EXPECT_EQ(load.at<u32>(kInfo + 12), 0u);
  EXPECT_EQ(load.at<u64>(kInfo + 16), 0u);
}

TEST(LoadPvh, ListsTheInitrdAsAModule) {
  Load load(pvh_elf().build());
  load.initrd = bytes_of("archive");
  ASSERT_TRUE(load.run());
  ASSERT_EQ(load.at<u32>(kInfo + 12), 1u);
  const u64 module = load.at<u64>(kInfo + 16);
  EXPECT_EQ(load.at<u64>(module), 16 * kMiB - kPageSize);
  EXPECT_EQ(load.at<u64>(module + 8), 7u);
  EXPECT_EQ(load.text_at(16 * kMiB - kPageSize, 7), "archive");
}

TEST(LoadPvh, IgnoresTheElfEntry) {
  ElfBuilder elf = pvh_elf();
  elf.header.e_entry = 0xffffffff81000000;
  Load load(elf.build());
  EXPECT_TRUE(load.run());
}

TEST(LoadPvh, ReadsHeadersAndNotesFarIntoTheFile) {
  ElfBuilder elf;
  elf.load(0x100000, Bytes(64 * kKiB, std::byte{0x90}));
  elf.notes(test::pvh_note(u64{0x100080}));
  Bytes file = elf.build();
  auto* header = reinterpret_cast<Elf64_Ehdr*>(file.data());
  header->e_phoff = file.size();
  for (const Elf64_Phdr& segment : elf.segments) test::append(file, segment);
  Load load(file);
  const auto kernel = load.run();
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->protocol, EntryProtocol::kPvh);
  EXPECT_EQ(kernel->entry, Gpa(0x100080));
}

TEST(LoadPvh, RefusesAnEntryOutsideOfTheSegments) {
  ElfBuilder elf = linux_elf();
  elf.notes(test::pvh_note(u32{0x100004}));
  EXPECT_EQ(Load(elf.build()).refusal(),
            "kernel 'k': the entry point in the PVH note is 0x100004, but no segment has bytes for "
            "that physical address -- the image is damaged or incomplete: build or copy it again");
}

TEST(LoadElf, WithoutANoteIsEnteredByTheLinuxProtocol) {
  Load load(linux_elf().build());
  const auto kernel = load.run();
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->protocol, EntryProtocol::kLinux64);
  EXPECT_EQ(kernel->entry, Gpa(0x100000));
  EXPECT_EQ(kernel->boot_info, layout::kBootParams);
}

TEST(LoadElf, GetsASetupHeaderThatProgramsBelieve) {
  Load load(linux_elf().build());
  ASSERT_TRUE(load.run());
  const boot_params params = load.params();
  EXPECT_EQ(params.hdr.boot_flag, 0xaa55);
  EXPECT_EQ(load.text_at(layout::kBootParams.raw() + 0x202, 4), "HdrS");
  EXPECT_EQ(params.hdr.type_of_loader, 0xff);
  EXPECT_EQ(u32{params.hdr.cmd_line_ptr}, layout::kCmdline.raw());
  EXPECT_EQ(u64{params.acpi_rsdp_addr}, 0xe0000u);
}

TEST(LoadElf, GetsACommandLinePointerEvenForAnEmptyOne) {
  Load load(linux_elf().build());
  load.cmdline.clear();
  ASSERT_TRUE(load.run());
  EXPECT_EQ(u32{load.params().hdr.cmd_line_ptr}, layout::kCmdline.raw());
  EXPECT_EQ(load.at<u8>(layout::kCmdline.raw()), 0);
}

TEST(LoadElf, GetsTheMemoryMapAsE820) {
  Load load(linux_elf().build());
  ASSERT_TRUE(load.run());
  const boot_params params = load.params();
  ASSERT_EQ(params.e820_entries, 3);
  EXPECT_EQ(u64{params.e820_table[0].size}, 0x9fc00u);
  EXPECT_EQ(u32{params.e820_table[1].type}, 2u);
  EXPECT_EQ(u64{params.e820_table[2].addr}, 0x100000u);
  EXPECT_EQ(u64{params.e820_table[2].size}, 15 * kMiB);
}

TEST(LoadElf, GetsTheInitrdInTheSetupHeader) {
  Load load(linux_elf().build());
  load.initrd = bytes_of("archive");
  ASSERT_TRUE(load.run());
  EXPECT_EQ(u32{load.params().hdr.ramdisk_image}, 16 * kMiB - kPageSize);
  EXPECT_EQ(u32{load.params().hdr.ramdisk_size}, 7u);
}

TEST(LoadElf, FindsTheCommandLineInMemory) {
  Load load(linux_elf().build());
  ASSERT_TRUE(load.run());
  EXPECT_EQ(load.text_at(layout::kCmdline.raw(), 6), std::string("quiet\0", 6));
}

TEST(LoadElf, FitsInto1MiBOfMemory) {
  Load load(linux_elf(0x10000).build());
  load.memory = test::make_memory(kMiB);
  load.initrd = bytes_of("archive");
  ASSERT_TRUE(load.run());
  EXPECT_EQ(load.text_at(0x10000, 4), "code");
  EXPECT_EQ(load.text_at(0x9f000, 7), "archive");
}

TEST(LoadElf, RefusesSegmentsOverTheMonitorsStructures) {
  EXPECT_EQ(Load(linux_elf(0xffff).build()).refusal(),
            "kernel 'k': p_paddr 0xffff and p_memsz 0x2800 of program header 0 leave the memory "
            "for images, 0x10000-0x9fbff and 0x100000-0xffffff -- link the image at 1 MiB or "
            "above, or give the guest more memory");
}

TEST(LoadElf, RefusesSegmentsOverTheFirmwareTables) {
  EXPECT_EQ(Load(linux_elf(0x9f000).build()).refusal(),
            "kernel 'k': p_paddr 0x9f000 and p_memsz 0x2800 of program header 0 leave the memory "
            "for images, 0x10000-0x9fbff and 0x100000-0xffffff -- link the image at 1 MiB or "
            "above, or give the guest more memory");
}

TEST(LoadElf, RefusesSegmentsOutsideOfRam) {
  EXPECT_EQ(Load(linux_elf(0xffe000).build()).refusal(),
            "kernel 'k': p_paddr 0xffe000 and p_memsz 0x2800 of program header 0 leave the memory "
            "for images, 0x10000-0x9fbff and 0x100000-0xffffff -- link the image at 1 MiB or "
            "above, or give the guest more memory");
}

TEST(LoadElf, RefusesHugeSegments) {
  ElfBuilder elf = linux_elf();
  elf.segments[0].p_memsz = u64{1} << 62;
  EXPECT_EQ(Load(elf.build()).refusal(),
            "kernel 'k': p_paddr 0x100000 and p_memsz 0x4000000000000000 of program header 0 leave "
            "the memory for images, 0x10000-0x9fbff and 0x100000-0xffffff -- link the image at 1 "
            "MiB or above, or give the guest more memory");
}

TEST(LoadElf, RefusesAnEntryInTheBss) {
  ElfBuilder elf = linux_elf();
  elf.header.e_entry = 0x100004;
  EXPECT_EQ(Load(elf.build()).refusal(),
            "kernel 'k': e_entry is 0x100004, but no segment has bytes for that physical address "
            "-- the image is damaged or incomplete: build or copy it again");
}

TEST(LoadElf, TouchesNoMemoryWhenALaterSegmentIsRefused) {
  ElfBuilder elf = linux_elf();
  elf.load(0xf0000, bytes_of("tables"));
  Load load(elf.build());
  ASSERT_FALSE(load.run());
  EXPECT_EQ(load.at<u32>(0x100000), 0u);
}

TEST(LoadBzImage, IsEnteredAtItsPreferredAddress) {
  Load load(BzImageBuilder().build());
  const auto kernel = load.run();
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->protocol, EntryProtocol::kLinux64);
  EXPECT_EQ(kernel->entry, Gpa(0x200200));
  EXPECT_EQ(kernel->boot_info, layout::kBootParams);
}

TEST(LoadBzImage, PutsTheProtectedPartThere) {
  Load load(BzImageBuilder().build());
  ASSERT_TRUE(load.run());
  EXPECT_EQ(load.at<u8>(0x200000), 0x5a);
  EXPECT_EQ(load.at<u8>(0x2003ff), 0x5a);
  EXPECT_EQ(load.at<u8>(0x200400), 0);
}

TEST(LoadBzImage, GetsItsOwnSetupHeader) {
  BzImageBuilder builder;
  builder.header.setup_data = 0x1234;
  Load load(builder.build());
  ASSERT_TRUE(load.run());
  const setup_header header = load.params().hdr;
  EXPECT_EQ(u16{header.version}, 0x020f);
  EXPECT_EQ(u32{header.init_size}, 0x3000u);
  EXPECT_EQ(header.type_of_loader, 0xff);
  EXPECT_EQ(u32{header.cmd_line_ptr}, layout::kCmdline.raw());
  EXPECT_EQ(u64{header.setup_data}, 0u);
}

TEST(LoadBzImage, KeepsTheInitrdWhereTheKernelCanReachIt) {
  BzImageBuilder builder;
  builder.header.initrd_addr_max = 0x7fffff;
  Load load(builder.build());
  load.initrd = Bytes(kPageSize + 1);
  ASSERT_TRUE(load.run());
  EXPECT_EQ(u32{load.params().hdr.ramdisk_image}, 0x7fe000u);
}

TEST(LoadBzImage, RefusesTooLittleMemoryForInitSize) {
  BzImageBuilder builder;
  builder.header.init_size = 0xe00001;
  EXPECT_EQ(Load(builder.build()).refusal(),
            "kernel 'k': pref_address 0x200000 and init_size 0xe00001 leave the memory for images, "
            "0x10000-0x9fbff and 0x100000-0xffffff -- give the guest more memory");
}

TEST(LoadBzImage, RefusesAPreferredAddressThatWrapsAround) {
  BzImageBuilder builder;
  builder.header.pref_address = ~u64{0} - 0xfff;
  EXPECT_EQ(Load(builder.build()).refusal(),
            "kernel 'k': pref_address 0xfffffffffffff000 and init_size 0x3000 leave the memory for "
            "images, 0x10000-0x9fbff and 0x100000-0xffffff -- give the guest more memory");
}

TEST(LoadBzImage, RefusesALongerCommandLineThanItTakes) {
  Load load(BzImageBuilder().build());
  load.cmdline = std::string(256, 'x');
  EXPECT_EQ(load.refusal(),
            "kernel command line: 256 bytes, but kernel 'k' takes at most 255 -- shorten it");
}

TEST(LoadInitrd, LeavesRoomForTheKernelsBss) {
  Load load(linux_elf().build());
  load.initrd = Bytes(16 * kMiB - 0x103000);  // the bss ends at 0x102800
  EXPECT_TRUE(load.run());
}

TEST(LoadInitrd, RefusesWhatReachesIntoTheKernel) {
  Load load(linux_elf().build());
  load.initrd = Bytes(16 * kMiB - 0x103000 + 1);
  EXPECT_EQ(load.refusal(),
            "initrd 'i': 0xefd001 bytes do not fit between the kernel's end at 0x103000 and "
            "0x1000000, the end of memory below 4 GiB -- give the guest more memory, or a smaller "
            "initrd");
}

TEST(LoadInitrd, RefusesAKernelThatCannotReachAny) {
  BzImageBuilder builder;
  builder.header.initrd_addr_max = 0x1fffff;
  Load load(builder.build());
  load.initrd = bytes_of("archive");
  EXPECT_EQ(load.refusal(),
            "initrd 'i': 0x7 bytes do not fit between the kernel's end at 0x203000 and 0x200000, "
            "the end of what the kernel can reach (initrd_addr_max) -- give the guest more memory, "
            "or a smaller initrd");
}

TEST(LoadInitrd, RefusesAnEmptyFile) {
  Load load(linux_elf().build());
  load.initrd = Bytes();
  EXPECT_EQ(load.refusal(),
            "initrd 'i': the file is empty -- give an initramfs, or leave the initrd out");
}

TEST(LoadKernel, RefusesAFileOfAnotherKind) {
  EXPECT_EQ(Load(bytes_of("#!/bin/sh")).refusal(),
            "kernel 'k': neither ELF's magic number nor a bzImage's setup header is there -- give "
            "an x86-64 ELF (with a PVH note, or entered by the 64-bit Linux boot protocol) or a "
            "bzImage");
}

TEST(LoadKernel, RefusesAnEmptyFile) {
  EXPECT_EQ(Load(Bytes()).refusal(),
            "kernel 'k': neither ELF's magic number nor a bzImage's setup header is there -- give "
            "an x86-64 ELF (with a PVH note, or entered by the 64-bit Linux boot protocol) or a "
            "bzImage");
}

TEST(LoadKernel, BlamesTheImage) {
  const auto kernel = Load(Bytes()).run();
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().fault(), Fault::kImage);
}

}  // namespace
}  // namespace mote
