// SPDX-License-Identifier: Apache-2.0
// One queue of a disk, served on an event loop: requests in, file I/O, requests out.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "core/event_fd.hpp"
#include "core/event_loop.hpp"
#include "core/guest_memory.hpp"
#include "core/log.hpp"
#include "core/loop_alarm.hpp"
#include "core/mapping.hpp"
#include "core/rate_limiter.hpp"
#include "devices/virtio/block_image.hpp"
#include "devices/virtio/block_request.hpp"
#include "devices/virtio/device.hpp"

namespace mote::virtio {

/// What the queues of one disk share. Outlives them.
struct BlockDisk {
  BlockDisk(const GuestMemory& guest_memory, BlockImage opened)
      : memory(guest_memory), image(std::move(opened)) {}

  const GuestMemory& memory;
  const BlockImage image;
  std::string id;                          ///< what GET_ID answers, and messages say
  bool unsafe = false;                     ///< a flush does nothing
  u32 max_segments = 0;                    ///< of data, in one request
  std::atomic<u64> capacity{0};            ///< bytes
  std::atomic<bool> write_through{false};  ///< a write is on the disk before it is answered
  RateLimiter limiter;
  DeviceEvents* events = nullptr;
  LogLimiter log_limiter;
};

/// The image in a loop's table of fixed files.
struct BlockFiles {
  FixedFile image{};
  std::optional<FixedFile> buffered;  ///< for what is not aligned, when `image` is direct
};

/// Serves one queue from `start` to `stop`, as often as the driver likes. While it is awake it
/// looks at the available ring itself, and the driver is asked not to notify. Everything that a
/// look finds is submitted in one call, and what has ended by the next is published with one
/// interrupt.
///
/// Requests are taken into a pool as large as the queue; one that finds the pool or the loop full,
/// or the rate limit reached, waits in the available ring. Memory of the guest that a request names
/// is in use until its completion, also over `stop`, which waits for it.
///
/// Reads go through the ring. Buffered writes of usual sizes are made on the loop's thread at once:
/// the ring would hand them to worker threads, which costs more than the write. A look ends after
/// so many bytes of them that other queues of the loop are served in time.
class BlockQueue final : private LoopWorker, private AlarmHandler {
 public:
  /// `disk` and `loop` outlive the queue.
  BlockQueue(BlockDisk& disk, EventLoop& loop, BlockFiles files, EventFd kick);
  BlockQueue(const BlockQueue&) = delete;
  BlockQueue& operator=(const BlockQueue&) = delete;

  /// See Device. Any thread, one at a time.
  void start(const Queue& queue);
  void stop(Countdown& rested);
  QueuePosition position() const { return queue_->position(); }
  int kick_fd() const { return kick_.fd(); }

 private:
  struct Pending : BlockRequest {
    BlockQueue* owner = nullptr;
    iovec* segments = nullptr;  // what is left of the data, in segment_count pieces
    u64 left = 0;               // bytes of it
    bool fallback = false;      // kWriteZeroes: the second way is being tried
  };

  bool work() override;
  bool rest() override;
  void on_alarm() override;

  void on_start(i32);
  void on_stop(i32);
  void on_kick(i32);
  void read_kick();

  bool take_available();
  bool take_one();
  bool admitted(const Pending& request);
  void begin(Pending& request);
  void transfer(Pending& request);
  void write_now(Pending& request);
  void clear_range(Pending& request);
  static void on_done(void* request, i32 result);
  void advance(Pending& request, i32 result);
  void complete(Pending& request, BlockStatus status);
  void fail(Pending& request, i32 error);
  void publish();
  void come_to_rest();
  void give_up();

  BlockDisk& disk_;
  EventLoop& loop_;
  const BlockFiles files_;
  const EventFd kick_;
  u64 kick_count_ = 0;
  bool kick_armed_ = false;

  // Handed over by `start` and `stop`.
  std::optional<Queue> next_queue_;
  Countdown* next_rested_ = nullptr;

  std::optional<Queue> queue_;
  Countdown* rested_ = nullptr;  // set: the queue is stopping
  Chain chain_;
  std::vector<Pending> pool_;
  std::vector<Pending*> free_;
  Mapping segments_;
  u64 written_now_ = 0;  // bytes, in the look at hand
  bool running_ = false;
  bool broken_ = false;
  bool limited_ = false;  // the rate limit is reached: the alarm goes on
  bool starved_ = false;  // the loop is full: it wakes us
  LoopAlarm alarm_;
};

}  // namespace mote::virtio
