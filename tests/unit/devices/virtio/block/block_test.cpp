// SPDX-License-Identifier: Apache-2.0
// The disk as a driver meets it: real files, a real loop on a thread of its own.
#include "devices/virtio/block/block.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <semaphore>
#include <thread>

#include "tests/unit/core/loop_thread.hpp"
#include "tests/unit/devices/virtio/block/temporary_image.hpp"
#include "tests/unit/devices/virtio/test_driver.hpp"

namespace mote::virtio {
namespace {

using test::Desc;
using test::kWrite;
using test::TemporaryImage;
using test::TestDriver;

constexpr u32 kIn = 0, kOut = 1, kFlushType = 4, kGetIdType = 8, kDiscardType = 11,
              kZeroesType = 13;
constexpr u64 kFlushBit = u64{1} << 9, kWceBit = u64{1} << 11;
constexpr u8 kOk = 0, kIoError = 1, kUnsupported = 2;
constexpr off_t kDiskSize = 1 << 20;

struct Events final : DeviceEvents {
  std::atomic<u32> used{0}, config{0}, broken{0};
  void on_used() override { ++used; }
  void on_config_changed() override { ++config; }
  void on_broken() override { ++broken; }
};

struct Rest final : Countdown {
  std::binary_semaphore at_rest{0};
  void arrive() override { at_rest.release(); }
  bool wait() { return at_rest.try_acquire_for(test::kPatience); }
};

template <class Condition>
bool comes_true(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + test::kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

struct BlockTest : testing::Test {
  static constexpr u64 kHeader = 0x10000, kStatus = 0x10100, kData = 0x20000;

  TemporaryImage file{kDiskSize};
  GuestMemory memory = test::make_ram(4 * kMiB);
  test::LoopThread thread{{.operations = 256, .files = 4, .poll_ns = 20'000}};
  Events events;
  std::string path = file.path();
  bool read_only = false;
  bool direct = false;
  BlockOptions options{.id = "the disk", .queue_size = 128};
  std::unique_ptr<Block> block;
  std::optional<TestDriver> driver;
  bool started = false;

  void open(u64 features = kFlushBit | feature::kVersion1 | feature::kEventIdx |
                           feature::kIndirectDesc) {
    EventLoop* const loops[] = {&thread.loop()};
    auto image = BlockImage::open(path, read_only, direct);
    ASSERT_TRUE(image.has_value()) << image.error().message();
    auto made = Block::create(options, *std::move(image), memory, loops);
    ASSERT_TRUE(made.has_value()) << made.error().message();
    block = *std::move(made);
    block->set_events(events);
    block->set_driver_features(features);
    thread.start();
    start(features);
  }
  void start(u64 features) {
    driver.emplace(memory, options.queue_size, 0x1000, (features & feature::kEventIdx) != 0);
    for (u64 page = 0x1000; page < kHeader; page += 8) driver->put(page, u64{0});
    block->start(0, *Queue::map(memory, driver->layout(), features));
    started = true;
  }
  void stop() {
    if (!std::exchange(started, false)) return;
    Rest rest;
    block->stop(0, rest);
    ASSERT_TRUE(rest.wait());
  }
  void TearDown() override {
    stop();
    thread.stop();
  }

  void put_header(u32 type, u64 sector, u64 at = kHeader) {
    driver->put(at, type);
    driver->put(at + 4, u32{0});
    driver->put(at + 8, sector);
  }
  void kick() {
    if (driver->publish()) signal_eventfd(block->kick_fd(0));
  }
  /// Hands over what was added and waits for one answer.
  std::optional<TestDriver::Used> answer() {
    kick();
    std::optional<TestDriver::Used> used;
    EXPECT_TRUE(comes_true([&] { return (used = driver->take()).has_value(); }));
    return used;
  }
  /// The status of a request with one segment of data; 255 when there was no answer.
  u8 request(u32 type, u64 sector, u32 length = 0, u16 flags = 0, u64 data = kData) {
    put_header(type, sector);
    driver->put(kStatus, u8{255});
    std::vector<Desc> chain = {{kHeader, 16}};
    if (length > 0) chain.push_back({data, length, flags});
    chain.push_back({kStatus, 1, kWrite});
    driver->add(chain);
    answer();
    return status();
  }
  u8 status(u64 at = kStatus) {
    u8 value = 255;
    CHECK(memory.load(Gpa(at), value), "it is RAM");
    return value;
  }
  std::string guest_bytes(u64 at, std::size_t size) {
    std::string bytes(size, '\0');
    CHECK(memory.read(Gpa(at), std::as_writable_bytes(std::span(bytes))), "it is RAM");
    return bytes;
  }
  void fill(u64 at, std::size_t size, char with) {
    const std::string bytes(size, with);
    CHECK(memory.write(Gpa(at), std::as_bytes(std::span(bytes))), "it is RAM");
  }
  u8 range(u32 type, u64 sector, u32 sectors, u32 flags) {
    driver->put(kData, sector);
    driver->put(kData + 8, sectors);
    driver->put(kData + 12, flags);
    return request(type, 0, 16);
  }
};

TEST_F(BlockTest, ReadsAndWritesWhatTheFileHolds) {
  open();
  file.put(512, "from the host");
  EXPECT_EQ(request(kIn, 1, 512, kWrite), kOk);
  EXPECT_EQ(guest_bytes(kData, 13), "from the host");
  fill(kData, 4096, 'g');
  EXPECT_EQ(request(kOut, 8, 4096), kOk);
  EXPECT_EQ(file.get(8 * 512, 4096), std::string(4096, 'g'));
}

TEST_F(BlockTest, LargeWritesTakeTheOtherWayAndArriveTheSame) {
  open();
  fill(kData, 512 * kKiB, 'L');
  EXPECT_EQ(request(kOut, 0, 512 * kKiB), kOk);
  EXPECT_EQ(file.get(0, 512 * kKiB), std::string(512 * kKiB, 'L'));
}

/// Asks for work in each turn of the loop and notes by how much the used ring grows between two.
struct Neighbour final : LoopWorker {
  TestDriver* driver = nullptr;
  std::atomic<u16> seen{0};
  u32 largest_step = 0;
  bool work() override {
    const u16 now = driver->used_index();
    largest_step = std::max<u32>(largest_step, now - seen);
    seen = now;
    return true;
  }
  bool rest() override { return false; }
};

TEST_F(BlockTest, WritesLetOtherWorkersOfTheLoopHaveTheirTurn) {
  open();
  Neighbour neighbour;
  neighbour.driver = &*driver;
  put_header(kOut, 0);
  for (int i = 0; i < 16; ++i) {
    driver->add({{kHeader, 16}, {kData, 256 * kKiB}, {kStatus, 1, kWrite}});
  }
  thread.call([&] {
    thread.loop().wake(neighbour);
    kick();
  });
  EXPECT_TRUE(comes_true([&] { return neighbour.seen == 16; }));
  stop();
  thread.stop();
  EXPECT_LE(neighbour.largest_step, 4u) << "a look writes 1 MiB";
}

TEST_F(BlockTest, TheUsedLengthIsWhatWasWritten) {
  open();
  put_header(kIn, 0);
  driver->add({{kHeader, 16}, {kData, 1024, kWrite}, {kStatus, 1, kWrite}});
  EXPECT_EQ(answer()->written, 1025u);
  put_header(kOut, 0);
  driver->add({{kHeader, 16}, {kData, 1024}, {kStatus, 1, kWrite}});
  EXPECT_EQ(answer()->written, 1u);
}

TEST_F(BlockTest, AHeaderInSingleBytesAndDataInPiecesAreOneRequest) {
  open();
  file.put(0, "0123456789");
  put_header(kIn, 0);
  std::vector<Desc> chain;
  for (u64 i = 0; i < 16; ++i) chain.push_back({kHeader + i, 1});
  chain.push_back({kData, 3, kWrite});
  chain.push_back({kData + 0x1000, 509, kWrite});
  chain.push_back({kData + 0x2000, 1, kWrite});
  driver->put(kData + 0x2000, u8{255});
  driver->add(chain);
  answer();
  EXPECT_EQ(status(kData + 0x2000), kOk);
  EXPECT_EQ(guest_bytes(kData, 3), "012");
  EXPECT_EQ(guest_bytes(kData + 0x1000, 7), "3456789");
}

TEST_F(BlockTest, TheStatusMayShareASegmentWithTheData) {
  open();
  put_header(kIn, 0);
  driver->put(kData + 512, u8{255});
  driver->add({{kHeader, 16}, {kData, 513, kWrite}});
  answer();
  EXPECT_EQ(status(kData + 512), kOk);
}

TEST_F(BlockTest, GetIdIsPaddedWithZeros) {
  open();
  fill(kData, 20, 'x');
  EXPECT_EQ(request(kGetIdType, 0, 20, kWrite), kOk);
  EXPECT_EQ(guest_bytes(kData, 20), std::string("the disk") + std::string(12, '\0'));
}

TEST_F(BlockTest, FlushAnswers) {
  open();
  EXPECT_EQ(request(kFlushType, 0), kOk);
}

TEST_F(BlockTest, DiscardFreesBlocksAndZeroesReadAsZeros) {
  open();
  if (!block->features() || !(block->features() & (u64{1} << 13))) {
    GTEST_FAIL() << "the temporary folder's file system cannot punch holes";
  }
  file.put(0, std::string(256 * kKiB, 'd'));
  ASSERT_EQ(::fsync(file.fd()), 0);
  struct stat before{}, after{};
  ASSERT_EQ(::fstat(file.fd(), &before), 0);
  EXPECT_EQ(range(kDiscardType, 0, 256, 0), kOk);
  ASSERT_EQ(::fstat(file.fd(), &after), 0);
  EXPECT_LT(after.st_blocks, before.st_blocks);
  EXPECT_EQ(range(kZeroesType, 256, 128, 0), kOk);
  EXPECT_EQ(range(kZeroesType, 384, 128, 1), kOk);
  EXPECT_EQ(file.get(0, 256 * kKiB), std::string(256 * kKiB, '\0'));
}

TEST_F(BlockTest, RangesWithUnknownFlagsAreUnsupportedAndThoseOutsideFail) {
  open();
  EXPECT_EQ(range(kDiscardType, 0, 8, 1), kUnsupported);
  EXPECT_EQ(range(kZeroesType, 0, 8, 2), kUnsupported);
  EXPECT_EQ(range(kDiscardType, kDiskSize / 512, 1, 0), kIoError);
  EXPECT_EQ(range(kZeroesType, ~u64{0}, 1, 0), kIoError);
  EXPECT_EQ(range(kZeroesType, 0, ~u32{0}, 0), kIoError);
  EXPECT_EQ(range(kZeroesType, 0, 0, 0), kOk);
  EXPECT_EQ(request(kDiscardType, 0, 15), kIoError);
}

TEST_F(BlockTest, WhatIsOutsideOrCrookedFails) {
  open();
  const u64 end = kDiskSize / 512;
  EXPECT_EQ(request(kIn, end, 512, kWrite), kIoError);
  EXPECT_EQ(request(kIn, end - 1, 1024, kWrite), kIoError);
  EXPECT_EQ(request(kOut, ~u64{0}, 512), kIoError);
  EXPECT_EQ(request(kOut, u64{1} << 55, 512), kIoError);
  EXPECT_EQ(request(kIn, 0, 511, kWrite), kIoError);
  EXPECT_EQ(request(kIn, 0, 0), kIoError);
  EXPECT_EQ(request(kIn, 0, 2 * kMiB, kWrite), kIoError) << "above SIZE_MAX";
  EXPECT_EQ(request(kIn, end - 1, 512, kWrite), kOk);
  EXPECT_EQ(events.broken, 0u);
}

TEST_F(BlockTest, UnknownTypesAreUnsupported) {
  open();
  EXPECT_EQ(request(2, 0), kUnsupported);
  EXPECT_EQ(request(~u32{0}, 0), kUnsupported);
}

TEST_F(BlockTest, AReadOnlyDiskRefusesWrites) {
  read_only = true;
  open();
  EXPECT_NE(block->features() & (u64{1} << 5), 0u);
  EXPECT_EQ(request(kOut, 0, 512), kIoError);
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
}

TEST_F(BlockTest, WithoutAPlaceForTheStatusTheQueueIsBroken) {
  open();
  put_header(kIn, 0);
  driver->add({{kHeader, 16}});
  kick();
  EXPECT_TRUE(comes_true([&] { return events.broken == 1; }));
  stop();  // a reset helps
  start(kFlushBit);
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
}

TEST_F(BlockTest, AHeaderThatIsTooShortBreaksTheQueue) {
  open();
  driver->add({{kHeader, 15}, {kStatus, 1, kWrite}});
  kick();
  EXPECT_TRUE(comes_true([&] { return events.broken == 1; }));
}

TEST_F(BlockTest, AFileThatIsCutShortIsAnErrorForTheGuestOnly) {
  open();
  file.resize(4096);
  EXPECT_EQ(request(kIn, 64, 4096, kWrite), kIoError);
  EXPECT_EQ(request(kIn, 7, 1024, kWrite), kIoError) << "half of it is there";
  EXPECT_EQ(request(kIn, 0, 4096, kWrite), kOk);
}

TEST_F(BlockTest, AFullHostIsAnErrorForTheGuestOnly) {
  open();
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  auto* const handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const u8 beyond = request(kOut, 64, 512);
  const u8 below = request(kOut, 0, 512);
  ::setrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(beyond, kIoError);
  EXPECT_EQ(below, kOk);
}

TEST_F(BlockTest, TheConfigurationSpaceDescribesTheDisk) {
  open();
  u64 capacity = 0;
  block->read_config(0, std::as_writable_bytes(std::span(&capacity, 1)));
  EXPECT_EQ(capacity, static_cast<u64>(kDiskSize) / 512);
  u32 seg_max = 0;
  block->read_config(12, std::as_writable_bytes(std::span(&seg_max, 1)));
  EXPECT_EQ(seg_max, 126u);
  u64 beyond = 1;
  block->read_config(60, std::as_writable_bytes(std::span(&beyond, 1)));
  EXPECT_EQ(beyond, 0u);
  block->read_config(~u64{0} - 2, std::as_writable_bytes(std::span(&beyond, 1)));
}

TEST_F(BlockTest, TheLeastQueueHoldsARequestOfAllItsSegmentsWithoutIndirectOnes) {
  options.queue_size = 4;
  open(kFlushBit | feature::kVersion1);
  u32 seg_max = 0;
  block->read_config(12, std::as_writable_bytes(std::span(&seg_max, 1)));
  ASSERT_EQ(seg_max, 2u);
  file.put(0, "0123");
  put_header(kIn, 0);
  driver->add({{kHeader, 16}, {kData, 2, kWrite}, {kData + 8, 510, kWrite}, {kStatus, 1, kWrite}});
  answer();
  EXPECT_EQ(status(), kOk);
  EXPECT_EQ(guest_bytes(kData, 2) + guest_bytes(kData + 8, 2), "0123");
}

TEST_F(BlockTest, AResizeIsSeenOnce) {
  open();
  file.resize(2 * kDiskSize);
  block->look_at_size();
  block->look_at_size();
  EXPECT_EQ(events.config, 1u);
  EXPECT_EQ(block->config_generation(), 1u);
  EXPECT_EQ(request(kIn, kDiskSize / 512, 512, kWrite), kOk);
}

TEST_F(BlockTest, WritebackIsTheDriversToSwitch) {
  open(kFlushBit | kWceBit);
  const auto writeback = [&] {
    u8 value = 255;
    block->read_config(32, std::as_writable_bytes(std::span(&value, 1)));
    return value;
  };
  EXPECT_EQ(writeback(), 1);
  const std::byte off[] = {std::byte{0}};
  block->write_config(32, off);
  EXPECT_EQ(writeback(), 0);
  EXPECT_EQ(block->save(), (Block::State{.write_back = false}));
  fill(kData, 512, 'w');
  EXPECT_EQ(request(kOut, 0, 512), kOk);
  EXPECT_EQ(file.get(0, 512), std::string(512, 'w'));
  block->restore({.write_back = true});
  EXPECT_EQ(writeback(), 1);
  stop();
  block->write_config(32, off);
  block->reset();
  EXPECT_EQ(writeback(), 1);
}

TEST_F(BlockTest, DirectTakesAlignedAndCrookedBuffers) {
  direct = true;
  path = file.path();
  open();
  file.put(4096, "direct");
  EXPECT_EQ(request(kIn, 8, 4096, kWrite), kOk);
  EXPECT_EQ(guest_bytes(kData, 6), "direct");
  EXPECT_EQ(request(kIn, 8, 512, kWrite, kData + 0x3007), kOk);
  EXPECT_EQ(guest_bytes(kData + 0x3007, 6), "direct");
  fill(kData, 4096, 'D');
  EXPECT_EQ(request(kOut, 16, 4096), kOk);
  fill(kData + 0x5001, 512, 'C');
  EXPECT_EQ(request(kOut, 17, 512, 0, kData + 0x5001), kOk);
  EXPECT_EQ(request(kFlushType, 0), kOk);
  EXPECT_EQ(file.get(8192, 512), std::string(512, 'D'));
  EXPECT_EQ(file.get(8704, 512), std::string(512, 'C'));
}

TEST_F(BlockTest, ManyAtOnceComeBackAllAndAStopWaitsForThem) {
  open();
  put_header(kIn, 0);
  for (u64 i = 0; i < 42; ++i) {
    ASSERT_TRUE(
        driver->add({{kHeader, 16}, {kData + i * 4096, 4096, kWrite}, {kStatus + i, 1, kWrite}}));
  }
  kick();
  stop();
  // All or none: what was taken has come back.
  u32 back = 0;
  while (driver->take()) ++back;
  EXPECT_TRUE(back == 42 || back == 0) << back;
  start(kFlushBit);
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
}

TEST_F(BlockTest, StartsAndStopsAgainAndAgain) {
  open();
  for (int i = 0; i < 50; ++i) {
    put_header(kIn, 0);
    driver->add({{kHeader, 16}, {kData, 4096, kWrite}, {kStatus, 1, kWrite}});
    kick();
    stop();
    start(kFlushBit);
  }
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
}

TEST_F(BlockTest, OperationsAreLimited) {
  options.operations = TokenBucket(10, 100'000'000, 0);
  open();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, std::chrono::milliseconds(90)) << "ten at once, ten in the time of a refill";
}

TEST_F(BlockTest, BytesAreLimitedAndAFlushIsNone) {
  options.bytes = TokenBucket(4096, 50'000'000, 0);
  open();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(request(kIn, 0, 4096, kWrite), kOk);
  EXPECT_EQ(request(kFlushType, 0), kOk);
  EXPECT_EQ(request(kIn, 0, 4096, kWrite), kOk);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(40));
}

TEST_F(BlockTest, AStopDoesNotWaitForTheRateLimit) {
  options.operations = TokenBucket(1, 3'600'000'000'000, 0);
  open();
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  put_header(kIn, 0);
  driver->add({{kHeader, 16}, {kData, 512, kWrite}, {kStatus, 1, kWrite}});
  kick();
  stop();
  EXPECT_FALSE(driver->take());
}

}  // namespace
}  // namespace mote::virtio
