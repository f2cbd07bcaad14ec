// SPDX-License-Identifier: Apache-2.0
// Disks as the user meets them: what the guest is told of them, and what is refused.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "tests/kvm/run_mote.hpp"

namespace mote::test {
namespace {

class Disk : public KvmTest {
 protected:
  void SetUp() override {
    KvmTest::SetUp();
    char name[] = "/tmp/mote-disks-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    for (const std::string& path : made_) ::unlink(path.c_str());
    if (!folder_.empty()) ::rmdir(folder_.c_str());
  }

  /// The path of a new file of 1 MiB that begins with `head`.
  std::string file(const std::string& name, const std::string& head = {}) {
    const std::string path = folder_ + "/" + name;
    const int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    EXPECT_EQ(::write(fd, head.data(), head.size()), static_cast<ssize_t>(head.size()));
    EXPECT_EQ(::ftruncate(fd, 1 << 20), 0);
    ::close(fd);
    made_.push_back(path);
    return path;
  }

  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  std::string folder_;
  std::vector<std::string> made_;
};

TEST_F(Disk, WordsTellAnElfWhereDisksAreAndWhichIsTheRoot) {
  const Outcome outcome = run_guest(
      "cmdline",
      {"--cmdline", "a -- b", "--block", file("one") + ",read_only,root", "--block", file("two")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(has(outcome.out,
                  "line a virtio_mmio.device=4K@0xd0000000:5 root=/dev/vda ro "
                  "virtio_mmio.device=4K@0xd0001000:6 -- b\n"))
      << outcome.out;
}

TEST_F(Disk, AcpiTellsABzimageUnlessItDoesNotLook) {
  const std::string path = file("one");
  const auto line = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--block", path + ",root"});
    return run_guest("cmdline_bzimage.bin", arguments).out;
  };
  EXPECT_TRUE(has(line({}), "line root=/dev/vda rw\n"));
  for (const std::vector<std::string>& off : {std::vector<std::string>{"--cmdline", "acpi=off"},
                                              {"--no-acpi"},
                                              {"--announce", "cmdline"}}) {
    EXPECT_TRUE(has(line(off), "virtio_mmio.device=4K@0xd0000000:5 root=/dev/vda rw\n"))
        << off.back();
  }
}

TEST_F(Disk, AMissingFileIsRefused) {
  const Outcome outcome = run_guest("hello", {"--block", folder_ + "/none"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(has(outcome.err, "/none': No such file or directory (ENOENT)")) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST_F(Disk, AnotherFormatIsRefusedWithTheCommandThatConvertsIt) {
  const Outcome outcome = run_guest("hello", {"--block", file("q", {"QFI\xfb\0\0\0\3", 8})});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_TRUE(has(outcome.err, "qemu-img convert -f qcow2 -O raw")) << outcome.err;
}

TEST_F(Disk, AWriterExcludesOthersAndReadersShare) {
  const std::string path = file("one");
  const auto second = [&](const std::string& disk) {
    return run_guest("hello", {"--block", disk});
  };
  {
    Process first({"run", "--kernel", guest("halt_forever"), "--block", path});
    ASSERT_TRUE(first.wait_for_output("idle"));
    for (const std::string& disk : {path, path + ",read_only"}) {
      const Outcome outcome = second(disk);
      EXPECT_EQ(outcome.exit_code, 1);
      EXPECT_TRUE(has(outcome.err, "another process has it open")) << outcome.err;
    }
    first.signal(SIGTERM);
    EXPECT_EQ(first.finish().exit_code, 143);
  }
  Process reader({"run", "--kernel", guest("halt_forever"), "--block", path + ",read_only"});
  ASSERT_TRUE(reader.wait_for_output("idle"));
  EXPECT_EQ(second(path + ",read_only").exit_code, 0);
  EXPECT_EQ(second(path).exit_code, 1);
  reader.signal(SIGTERM);
  EXPECT_EQ(reader.finish().exit_code, 143);
}

TEST_F(Disk, ALookAtSizesAndSeveralLoopsDoNotEndTheGuest) {
  Process process({"run", "--kernel", guest("halt_forever"), "--block", file("one"), "--io-threads",
                   "3", "--vcpus", "2"});
  ASSERT_TRUE(process.wait_for_output("idle"));
  process.signal(SIGUSR1);
  process.signal(SIGUSR1);
  ::usleep(50'000);
  process.signal(SIGTERM);
  EXPECT_EQ(process.finish().exit_code, 143);
}

}  // namespace
}  // namespace mote::test
