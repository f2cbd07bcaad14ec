// SPDX-License-Identifier: Apache-2.0
// A disk: the virtio block device [Virtio 1.2 5.2].
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "devices/virtio/block/queue.hpp"
#include "devices/virtio/device.hpp"

namespace mote::virtio {

/// How a disk behaves on the host.
struct BlockOptions {
  std::string id;       ///< up to 20 bytes count
  bool unsafe = false;  ///< a flush does nothing
  u32 queues = 1;
  u16 queue_size = 256;  ///< a power of two from 4 to kMaxQueueSize
  std::optional<TokenBucket> bytes;
  std::optional<TokenBucket> operations;
};

/// Offers an image to a driver. Queue q is served by loop q modulo their number.
class Block final : public Device {
 public:
  /// Places that one disk takes in a loop's table of fixed files.
  static constexpr u32 kFilesPerLoop = 2;

  /// What the driver has set; plain data.
  struct State {
    bool write_back = true;
    bool operator==(const State&) const = default;
  };

  /// Before the loops run. `memory` and the loops outlive the disk.
  static Result<std::unique_ptr<Block>> create(const BlockOptions& options, BlockImage image,
                                               const GuestMemory& memory,
                                               std::span<EventLoop* const> loops);

  /// The image may have been resized: looks, and tells the driver. Any thread.
  void look_at_size();

  State save() const;
  /// Takes any State. No queue is started.
  void restore(const State& state);

  std::string_view name() const override { return disk_.id; }
  u32 type() const override { return 2; }
  u64 features() const override;
  u32 queue_count() const override { return static_cast<u32>(queues_.size()); }
  u16 max_queue_size() const override { return queue_size_; }
  void read_config(u64 offset, std::span<std::byte> data) override;
  void write_config(u64 offset, std::span<const std::byte> data) override;
  u32 config_generation() const override;
  void set_events(DeviceEvents& events) override { disk_.events = &events; }
  void set_driver_features(u64 features) override;
  void start(u32 index, const Queue& queue) override { queues_[index]->start(queue); }
  void stop(u32 index, Countdown& rested) override { queues_[index]->stop(rested); }
  QueuePosition position(u32 index) const override { return queues_[index]->position(); }
  void reset() override;
  int kick_fd(u32 index) const override { return queues_[index]->kick_fd(); }

 private:
  Block(const BlockOptions& options, const GuestMemory& memory, BlockImage image);
  void update_write_through();

  BlockDisk disk_;
  const u16 queue_size_;
  std::vector<std::unique_ptr<BlockQueue>> queues_;

  mutable std::mutex lock_;  // guards the below, and changes of the capacity
  u64 driver_features_ = 0;
  bool write_back_ = true;
  u32 generation_ = 0;
};

}  // namespace mote::virtio
