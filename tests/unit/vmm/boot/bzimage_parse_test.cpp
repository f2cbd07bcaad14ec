// SPDX-License-Identifier: Apache-2.0
// Behaviour of the bzImage parser.
#include "vmm/boot/bzimage_parse.hpp"

#include <gtest/gtest.h>

#include "tests/unit/vmm/boot/image_builder.hpp"

namespace mote {
namespace {

using test::Bytes;
using test::BzImageBuilder;

std::string refusal(const Bytes& file) {
  const auto result = parse_bzimage(file, file.size());
  return result ? "accepted" : result.error().message();
}

constexpr char kRemedy[] = " -- the image is damaged or incomplete: build or copy it again";

TEST(BzImage, IsKnownByFlagAndMagic) {
  EXPECT_TRUE(is_bzimage(BzImageBuilder().build()));
}

TEST(BzImage, IsNotKnownWithoutBootFlag) {
  BzImageBuilder builder;
  builder.header.boot_flag = 0;
  EXPECT_FALSE(is_bzimage(builder.build()));
}

TEST(BzImage, IsNotKnownFromAShortFile) {
  EXPECT_FALSE(is_bzimage(Bytes(0x205)));
}

TEST(BzImage, TellsWhatToLoadWhere) {
  const Bytes file = BzImageBuilder().build();
  const auto image = parse_bzimage(file, file.size());
  ASSERT_TRUE(image);
  EXPECT_EQ(image->protected_offset, 0x600u);
  EXPECT_EQ(image->protected_size, 0x400u);
  EXPECT_EQ(image->load_address, Gpa(0x200000));
  EXPECT_EQ(image->memory_size, 0x3000u);
  EXPECT_EQ(image->initrd_end, 0x80000000u);
  EXPECT_EQ(image->cmdline_size, 255u);
}

TEST(BzImage, TakesNoSetupSectorsForFour) {
  BzImageBuilder builder;
  builder.header.setup_sects = 0;
  Bytes file = builder.build();
  file.resize(file.size() + 1024);
  const auto image = parse_bzimage(file, file.size());
  ASSERT_TRUE(image);
  EXPECT_EQ(image->protected_offset, 5u * 512);
}

TEST(BzImage, DropsWhatLiesBehindTheDeclaredHeader) {
  BzImageBuilder builder;
  builder.header.jump = 0x62eb;  // to 0x264, where init_size ends
  builder.header.handover_offset = 0xffffffff;
  const Bytes file = builder.build();
  const auto image = parse_bzimage(file, file.size());
  ASSERT_TRUE(image);
  EXPECT_EQ(u32{image->header.handover_offset}, 0u);
  EXPECT_EQ(u32{image->header.init_size}, 0x3000u);
}

TEST(BzImage, RefusesAFileThatEndsWithinTheHeader) {
  Bytes file = BzImageBuilder().build();
  file.resize(0x263);
  EXPECT_EQ(
      refusal(file),
      std::string("the setup header reaches to 0x264, but the file has 0x263 bytes") + kRemedy);
}

TEST(BzImage, RefusesOtherMagic) {
  BzImageBuilder builder;
  builder.header.header = 0;
  EXPECT_EQ(refusal(builder.build()),
            "the setup header does not begin with HdrS -- give an x86-64 ELF (with a PVH note, or "
            "entered by the 64-bit Linux boot protocol) or a bzImage");
}

TEST(BzImage, RefusesOldProtocols) {
  BzImageBuilder builder;
  builder.header.version = 0x020b;
  EXPECT_EQ(refusal(builder.build()),
            "version of the boot protocol is 0x20b, but a 64-bit entry is declared from 0x20c on "
            "-- give Linux 3.8 or later");
}

TEST(BzImage, RefusesAHeaderTooShortForItsVersion) {
  BzImageBuilder builder;
  builder.header.jump = 0x61eb;
  EXPECT_EQ(
      refusal(builder.build()),
      std::string("the setup header ends at 0x263, but init_size reaches to 0x264") + kRemedy);
}

TEST(BzImage, RefusesKernelsLoadedLow) {
  BzImageBuilder builder;
  builder.header.loadflags = 0x80;
  EXPECT_EQ(refusal(builder.build()),
            "loadflags is 0x80 without LOADED_HIGH: this is a zImage -- give an x86-64 ELF (with a "
            "PVH note, or entered by the 64-bit Linux boot protocol) or a bzImage");
}

TEST(BzImage, Refuses32BitKernels) {
  BzImageBuilder builder;
  builder.header.xloadflags = XLF_CAN_BE_LOADED_ABOVE_4G;
  EXPECT_EQ(refusal(builder.build()),
            "xloadflags is 0x2 without XLF_KERNEL_64: the kernel has no 64-bit entry -- give an "
            "x86-64 kernel");
}

TEST(BzImage, RefusesATruncatedFile) {
  Bytes file = BzImageBuilder().build();
  file.pop_back();
  EXPECT_EQ(refusal(file),
            std::string("syssize is 0x40 paragraphs from 0x600 on, which reach beyond the end of "
                        "the file at 0x9ff") +
                kRemedy);
}

TEST(BzImage, RefusesSetupSectorsBeyondTheFile) {
  BzImageBuilder builder;
  builder.header.setup_sects = 255;
  EXPECT_EQ(refusal(builder.build()),
            std::string("syssize is 0x40 paragraphs from 0x20000 on, which reach beyond the end of "
                        "the file at 0xa00") +
                kRemedy);
}

TEST(BzImage, RefusesAPartTooShortForItsEntry) {
  BzImageBuilder builder;
  builder.header.syssize = 0x20;
  EXPECT_EQ(refusal(builder.build()),
            std::string("syssize is 0x20 paragraphs, but the 64-bit entry is at 0x200") + kRemedy);
}

TEST(BzImage, RefusesLessMemoryThanFile) {
  BzImageBuilder builder;
  builder.header.init_size = 0x3ff;
  EXPECT_EQ(refusal(builder.build()),
            std::string("init_size is 0x3ff, but the protected-mode part alone has 0x400 bytes") +
                kRemedy);
}

}  // namespace
}  // namespace mote
