// SPDX-License-Identifier: Apache-2.0
// Guests that drive virtio disks: what they judge from the inside, and what is in the file
// afterwards.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tests/kvm/run_mote.hpp"

namespace mote::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kSize = 32 * kMiB;

/// As guests/kit/pattern.hpp makes it.
std::string pattern(std::uint64_t size, std::uint64_t position, std::uint64_t seed) {
  std::string text(size, '\0');
  for (std::uint64_t i = 0; i < size; i += 8) {
    const std::uint64_t word = ((position + i) / 8 + 1) * 0x9E3779B97F4A7C15u ^ seed;
    std::memcpy(text.data() + i, &word, 8);
  }
  return text;
}

class Image {
 public:
  explicit Image(std::uint64_t size = kSize) {
    fd_ = ::mkstemp(path_);
    EXPECT_GE(fd_, 0);
    EXPECT_EQ(::ftruncate(fd_, static_cast<off_t>(size)), 0);
  }
  ~Image() {
    ::close(fd_);
    ::unlink(path_);
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  std::string path() const { return path_; }
  void resize(std::uint64_t size) const {
    EXPECT_EQ(::ftruncate(fd_, static_cast<off_t>(size)), 0);
  }
  void write(std::uint64_t position, const std::string& text) const {
    EXPECT_EQ(::pwrite(fd_, text.data(), text.size(), static_cast<off_t>(position)),
              static_cast<ssize_t>(text.size()));
  }
  std::string read(std::uint64_t position, std::uint64_t size) const {
    std::string text(size, '?');
    EXPECT_EQ(::pread(fd_, text.data(), size, static_cast<off_t>(position)),
              static_cast<ssize_t>(size));
    return text;
  }
  /// True when no block of the range is allocated.
  bool is_hole(std::uint64_t position, std::uint64_t size) const {
    const off_t data = ::lseek(fd_, static_cast<off_t>(position), SEEK_DATA);
    return data < 0 || data >= static_cast<off_t>(position + size);
  }
  bool can_have_holes() const {
    return ::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;
  }
  bool can_be_direct() const {
    const int fd = ::open(path_, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
  }

 private:
  char path_[32] = "/tmp/mote-block-XXXXXX";
  int fd_ = -1;
};

struct Setting {
  const char* label;
  const char* keys;   // of the disk
  const char* words;  // on the guest's command line
  std::vector<std::string> arguments;
};

class BlockGuest : public KvmTest, public ::testing::WithParamInterface<Setting> {
 protected:
  void SetUp() override {
    KvmTest::SetUp();
    const bool is_direct = std::strstr(GetParam().keys, "direct") != nullptr;
    if (is_direct && !image_.can_be_direct()) {
      GTEST_SKIP() << "the file system of /tmp has no O_DIRECT";
    }
  }
  static bool is_on_pci() { return std::strstr(GetParam().keys, "transport=pci") != nullptr; }
  Outcome run(const std::string& name) const {
    const Setting& setting = GetParam();
    std::vector<std::string> arguments = setting.arguments;
    arguments.insert(arguments.end(), {"--block", image_.path() + setting.keys, "--cmdline",
                                       std::string(setting.words) + " capacity=65536"});
    return run_guest(name, arguments);
  }

  Image image_;
};

TEST_P(BlockGuest, DataInAllShapesIsKept) {
  expect_passes(run("block"), 29);
  EXPECT_EQ(image_.read(kMiB, kMiB), pattern(kMiB, kMiB, 7));
}

TEST_P(BlockGuest, CommandsAndRefusals) {
  expect_passes(run("block_commands"), 39);
  std::string wanted = pattern(kMiB, 0, 9);
  wanted.replace(64 << 10, 64 << 10, 64 << 10, '\0');
  EXPECT_EQ(image_.read(0, kMiB), wanted);
  if (image_.can_have_holes()) {
    EXPECT_TRUE(image_.is_hole(kMiB, kMiB));
  }
}

TEST_P(BlockGuest, InterruptsKicksAndResets) {
  expect_passes(run(is_on_pci() ? "pci" : "block_events"), 19);
}

TEST_P(BlockGuest, BrokenChainsAreSurvived) {
  const Outcome outcome = run("block_hostile");
  expect_passes(outcome, 107);
  // What a guest does wrong is told, but not as often as it does it.
  EXPECT_NE(outcome.err.find("broke the rules"), std::string::npos) << outcome.err;
  EXPECT_LT(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 60) << outcome.err;
}

TEST_P(BlockGuest, BrokenQueuesAreSurvived) {
  expect_passes(run("block_hostile_queues"), is_on_pci() ? 53 : 58);
}

INSTANTIATE_TEST_SUITE_P(
    Kvm, BlockGuest,
    ::testing::Values(Setting{"plain", ",queues=1", "queues=1 id=disk0", {}},
                      Setting{"four_queues_three_loops",
                              ",queues=4,id=data-1",
                              "queues=4 id=data-1",
                              {"--io-threads", "3", "--poll-us", "0"}},
                      Setting{"sixteen_queues", ",queues=16", "queues=16", {}},
                      Setting{"direct", ",queues=2,cache=direct", "queues=2", {}},
                      Setting{"unsafe", ",queues=1,cache=unsafe", "queues=1", {}},
                      Setting{"small_queue", ",queues=1,queue_size=16", "queues=1", {}},
                      Setting{"large_queue", ",queues=2,queue_size=1024", "queues=2", {}},
                      Setting{"registered_buffers",
                              ",queues=2,cache=direct",
                              "queues=2",
                              {"--registered-buffers", "--io-threads", "2"}},
                      Setting{"pci", ",queues=2,transport=pci", "queues=2", {}},
                      Setting{"long_poll", ",queues=2", "queues=2", {"--poll-us", "1000"}}),
    [](const auto& test) { return test.param.label; });

using BlockTest = KvmTest;

TEST_F(BlockTest, AReadOnlyDiskKeepsItsContent) {
  const Image image;
  const std::string content = pattern(kMiB, 0, 1);
  image.write(0, content);
  expect_passes(run_guest("block", {"--block", image.path() + ",read_only,queues=1", "--cmdline",
                                    "ro queues=1"}),
                17);
  EXPECT_EQ(image.read(0, kMiB), content);
}

TEST_F(BlockTest, EachDiskHasItsFile) {
  const Image first(16 * kMiB + 512);
  const Image second;
  const std::string content = pattern(kMiB, 0, 1);
  second.write(kMiB, content);
  const auto run = [&](const std::string& words) {
    return run_guest("block", {"--block", first.path() + ",queues=1", "--block",
                               second.path() + ",queues=2,id=second", "--cmdline", words});
  };
  expect_passes(run("disk=0 capacity=32769 id=disk0 queues=1"), 29);
  EXPECT_EQ(second.read(kMiB, kMiB), content);
  expect_passes(run("disk=1 capacity=65536 id=second queues=2"), 29);
  EXPECT_EQ(second.read(kMiB, kMiB), pattern(kMiB, kMiB, 7));
}

TEST_F(BlockTest, TheGuestIsToldOfANewSize) {
  const Image image;
  for (const auto& [size, capacity] :
       {std::pair{48 * kMiB, "capacity 98304\n"}, {24 * kMiB, "capacity 49152\n"}}) {
    Process process({"run", "--kernel", guest("block_events"), "--block",
                     image.path() + ",queues=1", "--cmdline", "queues=1 wait=resize"});
    ASSERT_TRUE(process.wait_for_output("ready for resize"));
    image.resize(size);
    process.signal(SIGUSR1);
    const Outcome outcome = process.finish();
    expect_passes(outcome, 22);
    EXPECT_NE(outcome.out.find(capacity), std::string::npos) << outcome.out;
  }
}

TEST_F(BlockTest, TwoVcpusRaceOnOneDescriptor) {
  const Image image;
  expect_passes(
      run_guest("block_hostile_race", {"--vcpus", "2", "--block", image.path() + ",queues=1"}), 4);
}

TEST_F(BlockTest, SleepsUntilAnInterruptAndNeverTooLong) {
  const Image image;
  const Outcome outcome = run_guest("block_bench", {"--block", image.path() + ",queues=2",
                                                    "--cmdline", "wait=irq queues=2 seconds=1"});
  expect_passes(outcome, 6);
  EXPECT_GT(result(outcome, "interrupts"), 0) << outcome.out;
  EXPECT_GT(result(outcome, "requests"), 1000) << outcome.out;
}

TEST_F(BlockTest, PollsWithoutAnInterrupt) {
  const Image image;
  const Outcome outcome = run_guest(
      "block_bench", {"--block", image.path(), "--cmdline", "mode=randwrite depth=16 seconds=1"});
  expect_passes(outcome, 6);
  EXPECT_EQ(result(outcome, "interrupts"), 0) << outcome.out;
  EXPECT_GT(result(outcome, "requests"), 1000) << outcome.out;
}

TEST_F(BlockTest, AFileThatIsCutUnderTheGuestIsAnErrorOfItsRequests) {
  const Image image;
  Process process({"run", "--kernel", guest("block_bench"), "--block", image.path(), "--cmdline",
                   "depth=4 seconds=1"});
  ASSERT_TRUE(process.wait_for_output("measuring"));
  image.resize(kMiB);
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("DONE"), std::string::npos) << outcome.out;
  EXPECT_GT(result(outcome, "errors"), 0) << outcome.out;
  EXPECT_NE(outcome.err.find(image.path()), std::string::npos) << outcome.err;
  EXPECT_LT(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 60) << outcome.err;
}

}  // namespace
}  // namespace mote::test
