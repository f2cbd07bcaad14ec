// SPDX-License-Identifier: Apache-2.0
// Behaviour of files and memory as sources of images.
#include "vmm/boot/image_source.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "tests/unit/vmm/boot/image_builder.hpp"

namespace mote {
namespace {

/// A directory of the test's own.
class Folder {
 public:
  Folder() { CHECK(::mkdtemp(path_.data()) != nullptr, "a temporary directory can be made"); }
  ~Folder() {
    ::unlink(file().c_str());
    ::rmdir(path_.c_str());
  }
  std::string path() const { return path_; }
  std::string file() const { return path_ + "/image"; }
  void write(std::string_view text) const {
    std::ofstream(file()).write(text.data(), static_cast<std::streamsize>(text.size()));
  }

 private:
  std::string path_ = testing::TempDir() + "mote-image-XXXXXX";
};

std::string open_refusal(const std::string& path) {
  const auto image = ImageFile::open("kernel", path);
  return image ? "accepted" : image.error().message();
}

TEST(ImageFile, TellsNameAndSize) {
  const Folder folder;
  folder.write("0123456789");
  const auto image = ImageFile::open("kernel", folder.file());
  ASSERT_TRUE(image);
  EXPECT_EQ(image->name(), "kernel '" + folder.file() + "'");
  EXPECT_EQ(image->size(), 10u);
}

TEST(ImageFile, ReadsFromAnOffset) {
  const Folder folder;
  folder.write("0123456789");
  const auto image = ImageFile::open("kernel", folder.file());
  ASSERT_TRUE(image);
  std::array<char, 4> text{};
  ASSERT_TRUE(image->read_at(5, std::as_writable_bytes(std::span(text))));
  EXPECT_EQ(std::string_view(text.data(), 4), "5678");
}

TEST(ImageFile, ReadsIntoGuestMemory) {
  const Folder folder;
  folder.write("0123456789");
  const auto image = ImageFile::open("initrd", folder.file());
  ASSERT_TRUE(image);
  const GuestMemory memory = test::make_memory(kMiB);
  ASSERT_TRUE(image->read_at(0, *memory.slice(Gpa(0x2000), 10)));
  std::array<char, 11> text{};
  ASSERT_TRUE(memory.read(Gpa(0x2000), std::as_writable_bytes(std::span(text))));
  EXPECT_STREQ(text.data(), "0123456789");
}

TEST(ImageFile, RefusesAFileThatShrankMeanwhile) {
  const Folder folder;
  folder.write("0123456789");
  const auto image = ImageFile::open("kernel", folder.file());
  ASSERT_TRUE(image);
  folder.write("012");
  std::array<std::byte, 8> bytes{};
  const auto result = image->read_at(2, bytes);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(),
            "7 of the 8 bytes at offset 0x2 are missing -- the file was truncated while it was "
            "read: write images under another name and rename them");
}

TEST(ImageFile, RefusesAMissingFile) {
  EXPECT_EQ(open_refusal("/nonexistent/kernel"),
            "kernel '/nonexistent/kernel': cannot be opened: No such file or directory (ENOENT) -- "
            "check the path and who may read it");
}

TEST(ImageFile, RefusesADirectory) {
  const Folder folder;
  EXPECT_EQ(open_refusal(folder.path()),
            "kernel '" + folder.path() + "': not a regular file -- give the image itself");
}

TEST(ImageFile, RefusesAFifoWithoutWaitingForAWriter) {
  const Folder folder;
  ASSERT_EQ(::mkfifo(folder.file().c_str(), 0600), 0);
  EXPECT_EQ(open_refusal(folder.file()),
            "kernel '" + folder.file() + "': not a regular file -- give the image itself");
}

TEST(ImageFile, BlamesTheImage) {
  const auto image = ImageFile::open("kernel", "/nonexistent/kernel");
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().fault(), Fault::kImage);
}

TEST(MemoryImage, RefusesToReadBeyondItsEnd) {
  const test::Bytes bytes(4);
  const MemoryImage image("kernel 'x'", bytes);
  std::array<std::byte, 4> out{};
  const auto result = image.read_at(1, out);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(),
            "1 of the 4 bytes at offset 0x1 are missing -- the file was truncated while it was "
            "read: write images under another name and rename them");
}

}  // namespace
}  // namespace mote
