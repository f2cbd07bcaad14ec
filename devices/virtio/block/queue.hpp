// SPDX-License-Identifier: Apache-2.0
// One queue of a disk, served on an event loop: requests in, file I/O, requests out.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "core/counter.hpp"
#include "core/mapping.hpp"
#include "devices/virtio/block/files.hpp"
#include "devices/virtio/block/image.hpp"
#include "devices/virtio/block/request.hpp"
#include "devices/virtio/queue_worker.hpp"

namespace mote::virtio {

/// What the queues of one disk share. Outlives them.
struct BlockDisk : QueueOwner {
  BlockDisk(const GuestMemory& guest_memory, BlockImage opened)
      : QueueOwner(guest_memory),
        image(std::move(opened)),
        read_only(image.read_only()),
        can_discard(image.can_discard()) {}

  BlockImage image;  ///< changes only while all queues are held
  // What the driver has been told, whichever image there is.
  const bool read_only;
  const bool can_discard;
  Countdown* holder = nullptr;             ///< is told of each queue that is held and idle
  std::string id;                          ///< what GET_ID answers
  bool unsafe = false;                     ///< a flush does nothing
  u32 max_segments = 0;                    ///< of data, in one request
  std::atomic<u64> capacity{0};            ///< bytes
  std::atomic<bool> write_through{false};  ///< a write is on the disk before it is answered
  RateLimiter limiter;
};

/// What one queue has done. Written by its loop, read by anyone.
struct BlockCounters {
  Counter read_count;  ///< requests that succeeded, as the next two
  Counter write_count;
  Counter flush_count;
  Counter read_bytes;
  Counter write_bytes;
  Counter error_count;  ///< requests that did not
};

/// Everything that a look at the available ring finds is submitted in one call.
///
/// Requests are taken into a pool as large as the queue; one that finds the pool or the loop full,
/// or the rate limit reached, waits in the available ring. Memory of the guest that a request names
/// is in use until its completion, also over `stop`, which waits for it.
///
/// Reads go through the ring. Buffered writes of usual sizes are made on the loop's thread at once:
/// the ring would hand them to worker threads, which costs more than the write. A look ends after
/// so many bytes of them that other queues of the loop are served in time.
class BlockQueue final : public QueueWorker {
 public:
  /// `disk` and `files`, those of the loop, outlive the queue.
  BlockQueue(BlockDisk& disk, const BlockFiles& files, std::shared_ptr<QueueKick> kick);

  /// Begins no more requests until `go_on`, whether the driver has started the queue or not. When
  /// all that were begun have ended, or with `go_on` if that comes first, the disk's holder is told
  /// once, on the loop's thread. Any thread.
  void hold();
  void go_on();
  const BlockCounters& counters() const { return counters_; }

 private:
  struct Pending : BlockRequest {
    BlockQueue* owner = nullptr;
    iovec* segments = nullptr;  // what is left of the data, in segment_count pieces
    u64 left = 0;               // bytes of it
    bool fallback = false;      // kWriteZeroes: the second way is being tried
  };

  bool begin_queue() override;
  bool serve() override;
  bool wants_more() const override { return !held_ && !free_.empty(); }
  bool is_idle() const override { return free_.size() == pool_.size(); }

  void on_hold(i32);
  void on_go_on(i32);
  void tell_holder();
  bool take_one();
  void begin(Pending& request);
  void transfer(Pending& request);
  void write_now(Pending& request);
  void clear_range(Pending& request);
  static void on_done(void* request, i32 result);
  void advance(Pending& request, i32 result);
  void complete(Pending& request, BlockStatus status);
  void fail(Pending& request, i32 error);
  void count(const Pending& request, BlockStatus status);

  BlockDisk& disk_;
  const BlockFiles& files_;
  std::vector<Pending> pool_;
  std::vector<Pending*> free_;
  Mapping segments_;
  u64 written_now_ = 0;  // bytes, in the look at hand
  BlockCounters counters_;
  bool held_ = false;
  bool holder_waits_ = false;  // for what is in flight
};

}  // namespace mote::virtio
