// SPDX-License-Identifier: Apache-2.0
// A virtio device that does nothing but remember what its transport asked for, and that checks the
// transport's promises.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <vector>

#include "core/check.hpp"
#include "core/event_fd.hpp"
#include "devices/virtio/device.hpp"

namespace mote::test {

inline constexpr u64 kFakeFeatures = (u64{1} << 5) | (u64{1} << 9);

class FakeDevice final : public virtio::Device {
 public:
  explicit FakeDevice(u32 queues = 2) : queues_(queues), kick_(make_kick()) {}

  std::string_view name() const override { return "fake"; }
  u32 type() const override { return 42; }
  u64 features() const override { return kFakeFeatures; }
  u32 queue_count() const override { return static_cast<u32>(queues_.size()); }
  u16 max_queue_size() const override { return 256; }
  void read_config(u64 offset, std::span<std::byte> data) override {
    for (std::size_t i = 0; i < data.size(); ++i) {
      data[i] = offset + i < config.size() ? config[offset + i] : std::byte{0};
    }
  }
  void write_config(u64 offset, std::span<const std::byte> data) override {
    for (std::size_t i = 0; i < data.size() && offset + i < config.size(); ++i) {
      config[offset + i] = data[i];
    }
  }
  u32 config_generation() const override { return generation; }
  void set_events(virtio::DeviceEvents& listener) override { events = &listener; }
  void set_driver_features(u64 features) override {
    CHECK(!any_started(), "features come before any start");
    driver_features = features;
  }
  void start(u32 index, const virtio::Queue& queue) override {
    CHECK(index < queues_.size() && !queues_[index].queue, "a stopped queue starts");
    queues_[index].queue = queue;
    ++starts;
  }
  void stop(u32 index, virtio::Countdown& rested) override {
    const std::lock_guard guard(lock_);
    CHECK(index < queues_.size() && queues_[index].queue, "a started queue stops");
    ++stops;
    queues_[index].position = queues_[index].queue->position();
    queues_[index].queue.reset();
    if (is_slow) {
      waiting_.push_back(&rested);
    } else {
      rested.arrive();
    }
  }
  virtio::QueuePosition position(u32 index) const override {
    CHECK(index < queues_.size() && !queues_[index].queue, "positions of stopped queues");
    return queues_[index].position;
  }
  void reset() override {
    CHECK(!any_started(), "all queues are stopped");
    driver_features = 0;
    ++resets;
  }
  int kick_fd(u32) const override { return kick_.fd(); }

  /// The queue as it was started, or nothing.
  std::optional<virtio::Queue>& queue(u32 index) { return queues_[index].queue; }
  u64 kicks() const { return kick_.drain(); }
  /// Queues whose stop has not been answered.
  std::size_t waiting() const {
    const std::lock_guard guard(lock_);
    return waiting_.size();
  }
  /// Answers them.
  void release() {
    const std::lock_guard guard(lock_);
    for (virtio::Countdown* rested : waiting_) rested->arrive();
    waiting_.clear();
  }

  bool is_slow = false;  ///< a stop is answered by `release`
  virtio::DeviceEvents* events = nullptr;
  std::array<std::byte, 16> config{};
  u32 generation = 0;
  u64 driver_features = 0;
  u32 starts = 0, stops = 0, resets = 0;

 private:
  struct Entry {
    std::optional<virtio::Queue> queue;
    virtio::QueuePosition position;
  };
  static EventFd make_kick() {
    auto kick = EventFd::create(true);
    CHECK(kick.has_value(), "an eventfd can be made");
    return *std::move(kick);
  }
  bool any_started() const {
    for (const Entry& entry : queues_) {
      if (entry.queue) return true;
    }
    return false;
  }

  std::vector<Entry> queues_;
  EventFd kick_;
  mutable std::mutex lock_;
  std::vector<virtio::Countdown*> waiting_;
};

}  // namespace mote::test
