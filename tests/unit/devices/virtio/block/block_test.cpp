// SPDX-License-Identifier: Apache-2.0
// The disk as a driver meets it: real files, a real loop on a thread of its own.
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "tests/unit/devices/virtio/block/fixture.hpp"

namespace mote::virtio {
namespace {

using test::Desc;
using test::kWrite;
using test::TestDriver;

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
  thread.call([] {});
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

TEST_F(BlockTest, WhatWaitsForALimitGoesOnWhenItIsTakenAway) {
  options.operations = TokenBucket(1, 3'600'000'000'000, 0);
  open();
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  driver->put(kStatus, u8{255});
  driver->add({{kHeader, 16}, {kData, 512, kWrite}, {kStatus, 1, kWrite}});
  kick();
  thread.call([] {});
  block->set_limits({.bytes = TokenBucket(1 << 20, 1, 0), .operations = {}});
  thread.call([] {});
  EXPECT_FALSE(driver->take()) << "operations were not named";
  EXPECT_GE(block->counters().throttled, 1u);
  block->set_limits({.bytes = {}, .operations = std::optional<TokenBucket>()});
  EXPECT_TRUE(comes_true([&] { return driver->take().has_value(); }));
  EXPECT_EQ(status(), kOk);
}

TEST_F(BlockTest, ALimitCountsFromItsChangeOn) {
  open();
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  block->set_limits({.bytes = {}, .operations = TokenBucket(1, 50'000'000, 0)});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(40));
}

TEST_F(BlockTest, RequestsAreCounted) {
  options.queues = 2;
  open();
  EXPECT_EQ(request(kIn, 0, 4096, kWrite), kOk);
  EXPECT_EQ(request(kOut, 0, 512), kOk);
  EXPECT_EQ(request(kOut, 0, 512 * kKiB), kOk);
  EXPECT_EQ(request(kFlushType, 0), kOk);
  EXPECT_EQ(request(kGetIdType, 0, 20, kWrite), kOk);
  EXPECT_EQ(request(kIn, kDiskSize / 512, 512, kWrite), kIoError);
  file.resize(4096);
  EXPECT_EQ(request(kIn, 64, 4096, kWrite), kIoError);
  EXPECT_EQ(request(2, 0), kUnsupported);
  stop();
  queue = 1;
  start(kFlushBit);
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  const Block::Counters counters = block->counters();
  EXPECT_EQ(counters.read_count, 2u);
  EXPECT_EQ(counters.read_bytes, 4096u + 512);
  EXPECT_EQ(counters.write_count, 2u);
  EXPECT_EQ(counters.write_bytes, 512u + 512 * kKiB);
  EXPECT_EQ(counters.flush_count, 1u);
  EXPECT_EQ(counters.error_count, 3u);
  EXPECT_EQ(counters.throttled, 0u);
}

}  // namespace
}  // namespace mote::virtio
