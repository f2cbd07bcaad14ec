// SPDX-License-Identifier: Apache-2.0
// What may be a disk and what may not, and who may open it at the same time.
#include "devices/virtio/block/image.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/devices/virtio/block/temporary_image.hpp"

namespace mote::virtio {
namespace {

using test::TemporaryImage;

std::string refusal(const std::string& path, bool read_only = false) {
  auto image = BlockImage::open(path, read_only, false);
  return image ? "" : image.error().message();
}

TEST(BlockImageTest, ARawFileHasItsWholeSectors) {
  const TemporaryImage file(10 * 512 + 100);
  const auto image = BlockImage::open(file.path(), false, false);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(*image->size(), 10u * 512);
  file.resize(1 << 20);
  EXPECT_EQ(*image->size(), 1u << 20);
  EXPECT_FALSE(image->direct());
}

TEST(BlockImageTest, WhatIsNoDiskIsRefusedByName) {
  EXPECT_NE(refusal("/nonexistent/disk").find("'/nonexistent/disk'"), std::string::npos);
  EXPECT_NE(refusal("/tmp", true).find("neither a regular file nor a block device"),
            std::string::npos);
  EXPECT_NE(refusal("/dev/null").find("neither a regular file nor"), std::string::npos);
  const TemporaryImage file(511);
  EXPECT_NE(refusal(file.path()).find("smaller than a sector"), std::string::npos);
}

TEST(BlockImageTest, AnEmptyFileIsADiskWithoutSectors) {
  const TemporaryImage file(0);
  const auto image = BlockImage::open(file.path(), false, false);
  ASSERT_TRUE(image.has_value()) << image.error().message();
  EXPECT_EQ(*image->size(), 0u);
}

TEST(BlockImageTest, AFifoDoesNotHangTheStart) {
  const TemporaryImage file(512);
  const std::string fifo = file.path() + ".fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_NE(refusal(fifo), "");
  ::unlink(fifo.c_str());
}

std::string refusal_of_passed(const std::string& path, int flags, bool read_only,
                              bool direct = false) {
  auto image = BlockImage::adopt(UniqueFd(::open(path.c_str(), flags | O_CLOEXEC)), "data",
                                 read_only, direct);
  return image ? "" : image.error().message();
}

TEST(BlockImageTest, AnOpenFileIsTakenOverAndLocked) {
  const TemporaryImage file(4096);
  const auto image = BlockImage::adopt(UniqueFd(::open(file.path().c_str(), O_RDWR | O_CLOEXEC)),
                                       "data", false, false);
  ASSERT_TRUE(image) << image.error().message();
  EXPECT_EQ(*image->size(), 4096u);
  EXPECT_NE(refusal(file.path()).find("another process has it open"), std::string::npos);
}

TEST(BlockImageTest, AnOpenFileIsOpenForWhatItIsTo) {
  const TemporaryImage file(4096);
  EXPECT_EQ(refusal_of_passed(file.path(), O_RDONLY, true), "");
  EXPECT_EQ(refusal_of_passed(file.path(), O_RDWR, true), "");
  EXPECT_NE(refusal_of_passed(file.path(), O_RDONLY, false).find("open it with O_RDWR"),
            std::string::npos);
  EXPECT_NE(refusal_of_passed(file.path(), O_WRONLY, true).find("open it with O_RDONLY"),
            std::string::npos);
  EXPECT_NE(refusal_of_passed(file.path(), O_RDWR, false, true).find("choose another cache mode"),
            std::string::npos);
  EXPECT_NE(refusal_of_passed("/dev/null", O_RDWR, false).find("neither a regular file"),
            std::string::npos);
}

TEST(BlockImageTest, OtherFormatsAreRefusedWithTheCommandThatConvertsThem) {
  const struct {
    off_t offset;
    std::string_view magic;
    const char* format;
  } kCases[] = {{0, "QFI\xfb", "qcow2"},
                {0, std::string_view("QED\0", 4), "qed"},
                {0, "KDMV", "vmdk"},
                {0, "# Disk DescriptorFile", "vmdk"},
                {0, "vhdxfile", "vhdx"},
                {0, "conectix", "vpc"},
                {4096 - 512, "conectix", "vpc"},
                {4096 - 511, "conectix", "vpc"},
                {0, std::string_view("QFI\xfb\0\0\0\1", 8), "qcow"},
                {0, std::string_view("QFI\xfb\0\0\0\2", 8), "qcow2"},
                {0, std::string_view("QFI\xfb\0\0\0\3", 8), "qcow2"},
                {0, "COWD", "vmdk"},
                {0, "WithoutFreeSpace", "parallels"},
                {0, "WithouFreSpacExt", "parallels"},
                {0x40, "\x7f\x10\xda\xbe", "vdi"}};
  for (const auto& c : kCases) {
    const TemporaryImage file(4096);
    file.put(c.offset, c.magic);
    EXPECT_NE(refusal(file.path()).find(std::string("qemu-img convert -f ") + c.format + " -O raw"),
              std::string::npos)
        << c.format;
  }
}

TEST(BlockImageTest, AFixedVhdThatIsNoWholeSectorsIsOneAsWell) {
  const TemporaryImage file(4096 + 511);
  file.put(4096, "conectix");
  EXPECT_NE(refusal(file.path()).find("qemu-img convert -f vpc"), std::string::npos);
  const TemporaryImage inside(4096);
  inside.put(1024, "conectix");
  EXPECT_EQ(refusal(inside.path()), "") << "elsewhere it is data";
}

TEST(BlockImageTest, ATailThatNoSectorReachesIsWarnedOf) {
  const auto warnings = [](const TemporaryImage& file) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(refusal(file.path()), "");
    return testing::internal::GetCapturedStderr();
  };
  const TemporaryImage crooked(10 * 512 + 100);
  const std::string text = warnings(crooked);
  EXPECT_NE(text.find("disk '" + crooked.path() +
                      "': 5220 bytes are no whole sectors of 512, the guest cannot reach the last "
                      "100 -- fill the sector up: truncate -s 5632 '" +
                      crooked.path() + "'\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(warnings(TemporaryImage(10 * 512)), "");
}

TEST(BlockImageTest, AWriterKeepsOthersOutAndReadersShare) {
  const TemporaryImage file(4096);
  {
    const auto writer = BlockImage::open(file.path(), false, false);
    ASSERT_TRUE(writer.has_value());
    EXPECT_NE(refusal(file.path()).find("another process has it open"), std::string::npos);
    EXPECT_NE(refusal(file.path(), true).find("open for writing"), std::string::npos);
  }
  const auto reader = BlockImage::open(file.path(), true, false);
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(refusal(file.path(), true), "");
  EXPECT_NE(refusal(file.path()), "");
}

TEST(BlockImageTest, AReadOnlyImageCannotBeWrittenOrDiscarded) {
  const TemporaryImage file(4096);
  const auto image = BlockImage::open(file.path(), true, false);
  ASSERT_TRUE(image.has_value());
  EXPECT_TRUE(image->read_only());
  EXPECT_FALSE(image->can_discard());
  EXPECT_EQ(::pwrite(image->fd(), "x", 1, 0), -1);
}

TEST(BlockImageTest, TheProbeForDiscardLeavesTheFileAsItWas) {
  const TemporaryImage file(4096);
  file.put(0, "kept");
  ASSERT_TRUE(BlockImage::open(file.path(), false, false).has_value());
  EXPECT_EQ(file.get(0, 4), "kept");
  struct stat status{};
  ASSERT_EQ(::fstat(file.fd(), &status), 0);
  EXPECT_EQ(status.st_size, 4096);
}

TEST(BlockImageTest, DirectAsksForAlignment) {
  const TemporaryImage file(1 << 20);
  const auto image = BlockImage::open(file.path(), false, true);
  if (!image) {  // tmpfs before Linux 6.6
    EXPECT_NE(image.error().message().find("no direct I/O"), std::string::npos);
    return;
  }
  EXPECT_TRUE(image->direct());
  alignas(4096) static char buffer[8192];
  const iovec aligned[] = {{buffer, 4096}};
  const iovec crooked[] = {{buffer + 3, 4096}};
  const iovec small[] = {{buffer, 100}};
  EXPECT_TRUE(image->is_aligned(aligned, 4096));
  EXPECT_FALSE(image->is_aligned(crooked, 4096));
  EXPECT_FALSE(image->is_aligned(small, 4096));
  EXPECT_FALSE(image->is_aligned(aligned, 100));
}

}  // namespace
}  // namespace mote::virtio
