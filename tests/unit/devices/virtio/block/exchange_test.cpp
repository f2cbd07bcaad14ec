// SPDX-License-Identifier: Apache-2.0
// A disk that gets another image while its driver uses it.
#include <atomic>

#include "tests/unit/devices/virtio/block/fixture.hpp"

namespace mote::virtio {
namespace {

using test::kWrite;
using test::TemporaryImage;

struct ExchangeTest : BlockTest {
  TemporaryImage other{2 * kDiskSize};

  static BlockImage image(const TemporaryImage& file, bool read_only = false, bool direct = false) {
    auto opened = BlockImage::open(file.path(), read_only, direct);
    CHECK(opened.has_value(), "the image can be opened");
    return *std::move(opened);
  }
  static std::string message(const Result<void>& result) {
    return result ? "" : result.error().message();
  }
  u64 sectors() {
    u64 capacity = 0;
    block->read_config(0, std::as_writable_bytes(std::span(&capacity, 1)));
    return capacity;
  }
};

TEST_F(ExchangeTest, TheDriverMeetsTheNewImageAndIsTold) {
  open();
  file.put(0, "old");
  other.put(0, "new");
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  EXPECT_EQ(guest_bytes(kData, 3), "old");
  EXPECT_EQ(message(block->exchange(image(other))), "");
  thread.call([] {});
  EXPECT_EQ(events.config, 1u);
  EXPECT_EQ(block->config_generation(), 1u);
  EXPECT_EQ(sectors(), u64{2 * kDiskSize} / 512);
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  EXPECT_EQ(guest_bytes(kData, 3), "new");
  EXPECT_EQ(request(kIn, kDiskSize / 512, 512, kWrite), kOk) << "behind the old one's end";
  fill(kData, 4096, 's');
  EXPECT_EQ(request(kOut, 8, 4096), kOk) << "the loop's way";
  fill(kData, 512 * kKiB, 'r');
  EXPECT_EQ(request(kOut, 64, 512 * kKiB), kOk) << "the ring's way";
  EXPECT_EQ(request(kFlushType, 0), kOk);
  EXPECT_EQ(other.get(4096, 4096), std::string(4096, 's'));
  EXPECT_EQ(other.get(64 * 512, 512 * kKiB), std::string(512 * kKiB, 'r'));
  EXPECT_EQ(file.get(4096, 4096), std::string(4096, '\0'));
}

TEST_F(ExchangeTest, TheOldImageIsFreeAndTheNewOneLocked) {
  open();
  ASSERT_EQ(message(block->exchange(image(other))), "");
  EXPECT_TRUE(BlockImage::open(file.path(), false, false).has_value());
  EXPECT_FALSE(BlockImage::open(other.path(), false, false).has_value());
}

TEST_F(ExchangeTest, KnowsTheFileThatItShows) {
  open();
  struct stat old{}, next{};
  ASSERT_EQ(::fstat(file.fd(), &old), 0);
  ASSERT_EQ(::stat(other.path().c_str(), &next), 0);
  EXPECT_TRUE(block->shows(old));
  EXPECT_FALSE(block->shows(next));
  ASSERT_EQ(message(block->exchange(image(other))), "");
  EXPECT_FALSE(block->shows(old));
  EXPECT_TRUE(block->shows(next));
}

TEST_F(ExchangeTest, AResizeIsThatOfTheNewImage) {
  open();
  ASSERT_EQ(message(block->exchange(image(other))), "");
  file.resize(kDiskSize / 2);
  block->look_at_size();
  thread.call([] {});
  EXPECT_EQ(events.config, 1u);
  other.resize(kDiskSize);
  block->look_at_size();
  thread.call([] {});
  EXPECT_EQ(events.config, 2u);
  EXPECT_EQ(sectors(), u64{kDiskSize} / 512);
}

TEST_F(ExchangeTest, AnEmptyImageKeepsAPlaceForAnother) {
  file.resize(0);
  open();
  EXPECT_EQ(sectors(), 0u);
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kIoError);
  EXPECT_EQ(request(kOut, 0, 512), kIoError);
  EXPECT_EQ(request(kFlushType, 0), kOk);
  ASSERT_EQ(message(block->exchange(image(other))), "");
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  ASSERT_EQ(message(block->exchange(image(file))), "") << "and back";
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kIoError);
}

TEST_F(ExchangeTest, ADiskThatNobodyHasStartedTakesItAsWell) {
  open();
  stop();
  other.put(0, "new");
  ASSERT_EQ(message(block->exchange(image(other))), "");
  start(kFlushBit);
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  EXPECT_EQ(guest_bytes(kData, 3), "new");
}

TEST_F(ExchangeTest, WhatDoesNotFitIsRefusedAndTheOldOneStays) {
  open();
  file.put(0, "old");
  EXPECT_NE(message(block->exchange(image(other, true))).find("open it for writing"),
            std::string::npos);
  EXPECT_NE(message(block->exchange(image(other, false, true))).find("cache mode"),
            std::string::npos);
  EXPECT_EQ(events.config, 0u);
  EXPECT_EQ(sectors(), u64{kDiskSize} / 512);
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  EXPECT_EQ(guest_bytes(kData, 3), "old");
  EXPECT_TRUE(BlockImage::open(other.path(), false, false).has_value()) << "nobody holds it";
}

TEST_F(ExchangeTest, AReadOnlyDiskTakesAReadOnlyImage) {
  read_only = true;
  open();
  EXPECT_NE(message(block->exchange(image(other))).find("open it read-only"), std::string::npos);
  EXPECT_EQ(message(block->exchange(image(other, true))), "");
  EXPECT_EQ(request(kOut, 0, 512), kIoError);
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
}

TEST_F(ExchangeTest, BothDescriptorsOfADirectImageAreExchanged) {
  direct = true;
  open();
  other.put(4096, "direct");
  ASSERT_EQ(message(block->exchange(image(other, false, true))), "");
  EXPECT_EQ(request(kIn, 8, 4096, kWrite), kOk);
  EXPECT_EQ(guest_bytes(kData, 6), "direct");
  EXPECT_EQ(request(kIn, 8, 512, kWrite, kData + 0x3007), kOk) << "not aligned";
  EXPECT_EQ(guest_bytes(kData + 0x3007, 6), "direct");
}

TEST_F(ExchangeTest, AllQueuesOnAllLoopsGetIt) {
  test::LoopThread second{{.files = Block::kFilesPerLoop}};
  loops.push_back(&second.loop());
  options.queues = 3;
  open();
  second.start();
  for (u32 number = 0; number < options.queues; ++number) {
    stop();
    queue = number;
    start(kFlushBit);
    const TemporaryImage next(512);
    next.put(0, std::to_string(number));
    ASSERT_EQ(message(block->exchange(image(next))), "");
    EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
    EXPECT_EQ(guest_bytes(kData, 1), std::to_string(number));
  }
  stop();
}

TEST_F(ExchangeTest, WhatWasBegunEndsOnTheOldImageAndNothingOnBoth) {
  constexpr u32 kWrites = 3;  // to a place each, by the ring
  constexpr u32 kSize = 320 * kKiB;
  open();
  fill(kData, kSize, 'w');
  const std::string written(kSize, 'w'), untouched(kSize, '\0');
  for (int round = 0; round < 20; ++round) {
    const TemporaryImage before(kDiskSize), after(kDiskSize);
    ASSERT_EQ(message(block->exchange(image(before))), "");
    for (u32 i = 0; i < kWrites; ++i) {
      put_header(kOut, i * kSize / 512, kHeader + 16 * i);
      driver->put(kStatus + i, u8{255});
      driver->add({{kHeader + 16 * i, 16}, {kData, kSize}, {kStatus + i, 1, kWrite}});
    }
    kick();
    ASSERT_EQ(message(block->exchange(image(after))), "");
    for (u32 i = 0; i < kWrites; ++i) {
      ASSERT_TRUE(comes_true([&] { return driver->take().has_value(); }));
    }
    for (u32 i = 0; i < kWrites; ++i) {
      EXPECT_EQ(status(kStatus + i), kOk);
      const std::string old = before.get(i * kSize, kSize), late = after.get(i * kSize, kSize);
      EXPECT_TRUE((old == written && late == untouched) || (old == untouched && late == written));
    }
  }
}

TEST_F(ExchangeTest, ADriverAtWorkSeesImagesInTheirOrder) {
  open();
  std::atomic<bool> done{false};
  std::atomic<u32> newest{0};
  std::thread guest([&] {
    while (!done) {
      const u32 least = newest;
      EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
      u32 got = 0;
      CHECK(memory.load(Gpa(kData), got), "it is RAM");
      EXPECT_GE(got, least) << "a request behind an exchange sees what it brought";
      EXPECT_EQ(request(kFlushType, 0), kOk);
    }
  });
  for (u32 number = 1; number <= 100; ++number) {
    const TemporaryImage next(4096);
    next.put(0, {reinterpret_cast<const char*>(&number), sizeof(number)});
    EXPECT_EQ(message(block->exchange(image(next))), "");
    newest = number;
  }
  done = true;
  guest.join();
  thread.call([] {});
  EXPECT_EQ(events.config, 100u);
}

TEST_F(ExchangeTest, TwoAtOnceFollowEachOther) {
  open();
  const TemporaryImage third(kDiskSize / 2);
  std::thread rival([&] { EXPECT_EQ(message(block->exchange(image(third))), ""); });
  EXPECT_EQ(message(block->exchange(image(other))), "");
  rival.join();
  EXPECT_EQ(block->config_generation(), 2u);
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
}

TEST_F(ExchangeTest, AResetMeanwhileIsNoTrouble) {
  open();
  std::atomic<bool> done{false};
  std::thread host([&] {
    for (int i = 0; i < 30; ++i) {
      EXPECT_EQ(message(block->exchange(image(i % 2 == 0 ? other : file))), "");
    }
    done = true;
  });
  while (!done) {
    EXPECT_EQ(request(kFlushType, 0), kOk);
    stop();
    start(kFlushBit);
  }
  host.join();
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
}

/// The loop answers nobody.
struct StuckExchangeTest : ExchangeTest {
  std::binary_semaphore go_on{0}, stuck{0};
  void get_stuck() {
    thread.loop().post({[](void* self, i32) {
                          static_cast<StuckExchangeTest*>(self)->stuck.release();
                          static_cast<StuckExchangeTest*>(self)->go_on.acquire();
                        },
                        this});
    stuck.acquire();
  }
};

TEST_F(StuckExchangeTest, PatienceEndsAndTheOldImageStays) {
  open();
  file.put(0, "old");
  other.put(0, "new");
  get_stuck();
  EXPECT_NE(message(block->exchange(image(other), std::chrono::milliseconds(5))).find("try again"),
            std::string::npos);
  EXPECT_TRUE(BlockImage::open(other.path(), false, false).has_value()) << "nobody holds it";
  go_on.release();
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  EXPECT_EQ(guest_bytes(kData, 3), "old");
  EXPECT_EQ(events.config, 0u);
  EXPECT_EQ(message(block->exchange(image(other))), "") << "again";
  EXPECT_EQ(request(kIn, 0, 512, kWrite), kOk);
  EXPECT_EQ(guest_bytes(kData, 3), "new");
}

TEST_F(StuckExchangeTest, AStopOfTheMachineEndsTheWait) {
  open();
  get_stuck();
  std::thread host([&] {
    EXPECT_NE(message(block->exchange(image(other), test::kPatience)).find("being stopped"),
              std::string::npos);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  block->abandon();
  host.join();
  const TemporaryImage third(512);
  EXPECT_NE(message(block->exchange(image(third))).find("being stopped"), std::string::npos);
  go_on.release();
}

}  // namespace
}  // namespace mote::virtio
