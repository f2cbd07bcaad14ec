// SPDX-License-Identifier: Apache-2.0
// A disk: the virtio block device [Virtio 1.2 5.2].
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "devices/virtio/block/queue.hpp"
#include "devices/virtio/device.hpp"
#include "devices/virtio/drain.hpp"

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
  static constexpr u32 kFilesPerLoop = BlockFiles::kMost;

  /// What the driver has set; plain data.
  struct State {
    bool write_back = true;
    bool operator==(const State&) const = default;
  };

  /// Requests since the start. Reads, writes and flushes are those that succeeded.
  struct Counters {
    u64 read_count = 0;
    u64 read_bytes = 0;
    u64 write_count = 0;
    u64 write_bytes = 0;
    u64 flush_count = 0;
    u64 error_count = 0;  ///< answered with an error, whosever it is
    u64 throttled = 0;    ///< how often requests had to wait for the rate limit
  };

  /// Before the loops run. `memory` and the loops outlive the disk.
  static Result<std::unique_ptr<Block>> create(const BlockOptions& options, BlockImage image,
                                               const GuestMemory& memory,
                                               std::span<EventLoop* const> loops);

  /// The image may have been resized: looks, and tells the driver. Any thread.
  void look_at_size();
  /// Whether `file` is the one of the image in use, which can only have changed its size: to open
  /// it anew would fail, for it is locked. Any thread.
  bool shows(const struct stat& file) const;
  /// Puts `image` in the place of the one in use and tells the driver. Requests that were begun end
  /// on the old one, all others see the new one; when this returns, the old one is closed and its
  /// lock is free. To the driver it is the same disk with other contents: the image has to have
  /// been opened as the first one was, and be discardable if that was; its block sizes do not
  /// count. An Error leaves the old image in use: `image` does not fit, what was begun has not
  /// ended within `patience`, or the machine is being stopped. Waits; any thread but the loops'.
  Result<void> exchange(BlockImage image,
                        std::chrono::milliseconds patience = std::chrono::seconds(5));

  /// Changes rate limits. Any thread.
  void set_limits(const RateChange& change);
  /// Any thread.
  Counters counters() const;

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
  void start(u32 index, const Queue& queue) override { queues_[index]->start(index, queue); }
  void stop(u32 index, Countdown& rested) override { queues_[index]->stop(rested); }
  QueuePosition position(u32 index) const override { return queues_[index]->position(); }
  void reset() override;
  void abandon() override { drain_.abandon(); }
  int kick_fd(u32 index) const override { return queues_[index]->kick_fd(); }

 private:
  Block(const BlockOptions& options, const GuestMemory& memory, BlockImage image, EventLoop& loop);
  void update_write_through();
  Result<void> can_take(const BlockImage& image) const;
  Result<void> put_in_place(u64 size);
  Result<void> update_files(const BlockImage& image);
  Error stopped() const;
  void tell_driver();
  void on_config_changed(i32) { disk_.events->on_config_changed(); }

  EventLoop& loop_;
  BlockDisk disk_;
  const u16 queue_size_;
  const bool direct_;
  const u32 block_size_;
  const u32 physical_block_size_;
  std::vector<std::unique_ptr<BlockFiles>> files_;  // by loop
  std::vector<std::unique_ptr<BlockQueue>> queues_;

  std::mutex exchange_lock_;         // one exchange at a time; taken before the below
  Drain drain_;                      // what an exchange waits for
  std::optional<BlockImage> other_;  // its new image, then its old one

  mutable std::mutex lock_;  // guards the below, and changes of image and capacity
  u64 driver_features_ = 0;
  bool write_back_ = true;
  u32 generation_ = 0;
};

}  // namespace mote::virtio
