// SPDX-License-Identifier: Apache-2.0
// A network device between a test's driver and a test's host.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include "devices/virtio/net/net.hpp"
#include "tests/unit/core/loop_thread.hpp"
#include "tests/unit/devices/virtio/net/fake_port.hpp"
#include "tests/unit/devices/virtio/test_driver.hpp"

namespace mote::test {

/// All that a device on a FakePort of one pair offers, and the ways of the ring.
inline constexpr u64 kQueueFeatures =
    virtio::feature::kVersion1 | virtio::feature::kEventIdx | virtio::feature::kIndirectDesc;

template <class Condition>
bool comes_true(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

struct NetEvents final : virtio::DeviceEvents {
  std::atomic<u32> used{0}, config{0}, broken{0};
  void on_used(u32) override { ++used; }
  void on_config_changed() override { ++config; }
  void on_broken() override { ++broken; }
};

struct NetTest : testing::Test {
  static constexpr u64 kData = 0x100000;  ///< from here on RAM is the test's

  FakeWire wire;
  GuestMemory memory = make_ram(16 * kMiB);
  std::vector<std::unique_ptr<LoopThread>> threads;
  NetEvents events;
  virtio::NetOptions options{.id = "net0",
                             .mac = {2, 0, 0, 0, 0, 1},
                             .queue_size = 64,
                             .rx_bytes = {},
                             .rx_frames = {},
                             .tx_bytes = {},
                             .tx_frames = {}};
  std::unique_ptr<virtio::Net> net;
  std::vector<std::unique_ptr<TestDriver>> drivers;  ///< by queue; null: it does not run
  u64 features = 0;

  explicit NetTest(u32 pairs = 1) : wire(pairs) {}

  /// Makes the device, negotiates `wanted` of what it offers and starts all queues.
  void open(u64 wanted = ~u64{0}, u32 loops = 1) {
    make(loops);
    start_all(wanted);
  }
  void make(u32 loops = 1) {
    std::vector<EventLoop*> all;
    for (u32 i = 0; i < loops; ++i) {
      threads.push_back(std::make_unique<LoopThread>(
          LoopOptions{.operations = 512, .files = virtio::Net::kFilesPerLoop, .poll_ns = 20'000}));
      all.push_back(&threads.back()->loop());
    }
    auto made = virtio::Net::create(options, std::make_unique<FakePort>(wire), memory, all);
    CHECK(made.has_value(), "the device can be made");
    net = *std::move(made);
    net->set_events(events);
    drivers.resize(net->queue_count());
    for (const auto& thread : threads) thread->start();
  }
  void start_all(u64 wanted = ~u64{0}) {
    features = ((net->features() & wanted) | kQueueFeatures);
    net->set_driver_features(features);
    for (u32 queue = 0; queue < net->queue_count(); ++queue) start(queue);
  }
  void start(u32 queue) {
    const u64 base = 0x10000 + u64{queue} * 0x8000;
    CHECK(memory.slice(Gpa(base), 0x8000)->clear(0, 0x8000), "rings start as zeros");
    drivers[queue] = std::make_unique<TestDriver>(memory, options.queue_size, base);
    resume(queue);
  }
  /// Starts a queue where its driver stands.
  void resume(u32 queue, virtio::QueuePosition position = {}) {
    net->start(queue, *virtio::Queue::map(memory, drivers[queue]->layout(), features, position));
  }
  virtio::QueuePosition halt(u32 queue) {
    struct Rest final : virtio::Countdown {
      std::binary_semaphore at_rest{0};
      void arrive() override { at_rest.release(); }
    } rest;
    net->stop(queue, rest);
    CHECK(rest.at_rest.try_acquire_for(kPatience), "a queue comes to rest");
    return net->position(queue);
  }
  void stop(u32 queue) {
    if (drivers[queue] == nullptr) return;
    halt(queue);
    drivers[queue].reset();
  }
  void stop_all() {
    for (u32 queue = 0; queue < drivers.size(); ++queue) stop(queue);
  }
  void TearDown() override {
    if (net) stop_all();
    for (const auto& thread : threads) thread->stop();
  }

  TestDriver& driver(u32 queue) { return *drivers[queue]; }
  void kick(u32 queue) {
    if (driver(queue).publish()) signal_eventfd(net->kick_fd(queue));
  }
  std::optional<TestDriver::Used> take(u32 queue) {
    std::optional<TestDriver::Used> used;
    comes_true([&] { return (used = driver(queue).take()).has_value(); });
    return used;
  }
  /// Runs through every loop, so that what was to happen has happened.
  void settle() {
    for (const auto& thread : threads) thread->call([] {});
    for (const auto& thread : threads) thread->call([] {});
  }

  void put(u64 at, std::string_view bytes) {
    CHECK(memory.write(Gpa(at), std::as_bytes(std::span(bytes))), "it is RAM");
  }
  std::string get(u64 at, std::size_t size) {
    std::string bytes(size, '\0');
    CHECK(memory.read(Gpa(at), std::as_writable_bytes(std::span(bytes))), "it is RAM");
    return bytes;
  }
  virtio::NetHeader header_at(u64 at) {
    virtio::NetHeader header;
    CHECK(memory.load(Gpa(at), header), "it is RAM");
    return header;
  }
  u64 dropped() const { return net->counters().send_dropped + net->counters().receive_dropped; }
};

/// A frame of `size` bytes that tells which one it is.
inline std::string numbered_frame(u32 number, std::size_t size) {
  std::string frame(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    frame[i] = static_cast<char>(number * 31 + i * 7 + i / 256);
  return frame;
}

}  // namespace mote::test
