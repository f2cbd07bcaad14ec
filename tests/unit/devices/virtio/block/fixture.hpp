// SPDX-License-Identifier: Apache-2.0
// A disk with a driver of the test's: a real file, a real loop on a thread of its own.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "devices/virtio/block/block.hpp"
#include "tests/unit/core/loop_thread.hpp"
#include "tests/unit/devices/virtio/block/temporary_image.hpp"
#include "tests/unit/devices/virtio/test_driver.hpp"

namespace mote::virtio {

inline constexpr u32 kIn = 0, kOut = 1, kFlushType = 4, kGetIdType = 8, kDiscardType = 11,
                     kZeroesType = 13;
inline constexpr u64 kFlushBit = u64{1} << 9, kWceBit = u64{1} << 11;
inline constexpr u8 kOk = 0, kIoError = 1, kUnsupported = 2;
inline constexpr off_t kDiskSize = 1 << 20;

struct Events final : DeviceEvents {
  std::atomic<u32> used{0}, config{0}, broken{0};
  void on_used(u32) override { ++used; }
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

  test::TemporaryImage file{kDiskSize};
  GuestMemory memory = test::make_ram(4 * kMiB);
  test::LoopThread thread{{.operations = 256, .files = 4, .poll_ns = 20'000}};
  std::vector<EventLoop*> loops{&thread.loop()};
  u32 queue = 0;  ///< that the driver uses
  Events events;
  std::string path = file.path();
  bool read_only = false;
  bool direct = false;
  BlockOptions options{.id = "the disk", .queue_size = 128};
  std::unique_ptr<Block> block;
  std::optional<test::TestDriver> driver;
  bool started = false;

  void open(u64 features = kFlushBit | feature::kVersion1 | feature::kEventIdx |
                           feature::kIndirectDesc) {
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
    block->start(queue, *Queue::map(memory, driver->layout(), features));
    started = true;
  }
  void stop() {
    if (!std::exchange(started, false)) return;
    Rest rest;
    block->stop(queue, rest);
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
    if (driver->publish()) signal_eventfd(block->kick_fd(queue));
  }
  /// Hands over what was added and waits for one answer.
  std::optional<test::TestDriver::Used> answer() {
    kick();
    std::optional<test::TestDriver::Used> used;
    EXPECT_TRUE(comes_true([&] { return (used = driver->take()).has_value(); }));
    return used;
  }
  /// The status of a request with one segment of data; 255 when there was no answer.
  u8 request(u32 type, u64 sector, u32 length = 0, u16 flags = 0, u64 data = kData) {
    put_header(type, sector);
    driver->put(kStatus, u8{255});
    std::vector<test::Desc> chain = {{kHeader, 16}};
    if (length > 0) chain.push_back({data, length, flags});
    chain.push_back({kStatus, 1, test::kWrite});
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

}  // namespace mote::virtio
