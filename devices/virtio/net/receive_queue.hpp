// SPDX-License-Identifier: Apache-2.0
// A receiveq of a network device [Virtio 1.2 5.1.6.3]: the host's frames go to the driver.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "core/frame_reader.hpp"
#include "devices/virtio/net/queue.hpp"

namespace mote::virtio {

/// Frames are read ahead into buffers of our own and copied from there into the driver's, whose
/// headers tell over how many of them a frame was spread. Frames for which the driver has no
/// buffers wait, first in ours, then in the host's end; nothing is lost here. While the queue rests
/// nothing is on its way, and what waits here can be saved.
///
/// Dropped and counted are only frames that are not sound or not what was negotiated, and those for
/// which a whole queue of buffers, or without MRG_RXBUF the one whose turn it is, is too small.
class NetReceiveQueue final : public QueueWorker, private FrameListener {
 public:
  /// Reads frames from `fd`, a NetPort's called `port`; `transmitted` counts those of the other
  /// direction. Before the loop runs; `device` and `transmitted` outlive the queue.
  static Result<std::unique_ptr<NetReceiveQueue>> create(NetDevice& device, int fd,
                                                         std::string port,
                                                         const NetCounters& transmitted,
                                                         std::shared_ptr<QueueKick> kick);

  /// Whether frames are read while the queue runs. Any thread, one at a time.
  void set_active(bool active);
  const NetCounters& counters() const { return counters_; }

  /// Frames that were read ahead for the driver that there is. Any thread, while the queue rests.
  FrameReader::Frames save_frames() const;
  /// Has these for the driver, instead of what was read ahead. The same.
  void restore_frames(FrameReader::Frames frames);

 private:
  /// A chain that part of a frame has been copied to.
  struct Filled {
    u16 head;
    u32 size;
  };
  NetReceiveQueue(NetDevice& device, std::string port, const NetCounters& transmitted,
                  std::shared_ptr<QueueKick> kick)
      : QueueWorker(device, std::move(kick)),
        device_(device),
        port_(std::move(port)),
        transmitted_(transmitted),
        first_(kMaxQueueSize) {}

  bool begin_queue() override;
  bool serve() override;
  bool wants_more() const override { return !reader_->front().empty(); }
  void end_queue() override;
  bool is_idle() const override { return !reader_->is_reading(); }
  void on_frame() override;
  void on_read_failed(i32 error) override;
  void on_read_stopped() override;
  void on_active_changed(i32);

  bool deliver(std::span<std::byte> frame);
  bool fill_one(std::span<std::byte> frame);
  bool fill_many(NetHeader& header, std::span<std::byte> frame);
  bool drop();
  void take_back();
  void note_rate(u32 frames);

  NetDevice& device_;
  const std::string port_;
  const NetCounters& transmitted_;
  NetCounters counters_;
  std::unique_ptr<FrameReader> reader_;
  std::atomic<bool> active_{false};
  u64 epoch_ = 0;  // the device's when the queue began last

  // The frame at the reader's front.
  bool admitted_ = false;  // by the rate limit
  std::size_t copied_ = 0;
  std::vector<Filled> filled_;  // where to
  Chain first_;                 // the first of these

  // What came since `window_start_ns_`.
  u64 window_start_ns_ = 0;
  u64 window_frames_ = 0;
  u64 window_sent_ = 0;  // where the transmit queue's counter stood
  bool is_stream_ = false;
};

}  // namespace mote::virtio
