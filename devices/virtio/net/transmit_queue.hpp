// SPDX-License-Identifier: Apache-2.0
// A transmitq of a network device [Virtio 1.2 5.1.6.2]: the driver's frames go to the host.
#pragma once

#include <array>
#include <vector>

#include "core/mapping.hpp"
#include "devices/virtio/net/queue.hpp"

namespace mote::virtio {

/// Everything that a look at the available ring finds is submitted in one call. A frame's header is
/// copied once and checked; the host reads the copy. Frames of the usual size are copied whole,
/// which costs less than telling the kernel of their pieces.
///
/// A frame that is not sound, or that the host refuses, is dropped and counted. When the host has
/// no room the frame waits for it.
class NetTransmitQueue final : public QueueWorker {
 public:
  /// Frames are written to `fd`, a NetPort's, which is `file` in the loop's table. `device`
  /// outlives the queue.
  NetTransmitQueue(NetDevice& device, int fd, FixedFile file, std::shared_ptr<QueueKick> kick)
      : QueueWorker(device, std::move(kick)), device_(device), fd_(fd), file_(file) {}

  const NetCounters& counters() const { return counters_; }

 private:
  /// A frame that the host is being given. Lies in zeroed memory.
  struct Frame {
    /// Header and frame of the usual MTU, with a VLAN tag.
    static constexpr u32 kCopied = 1536;
    /// Where pieces begin when the frame is not copied: behind the header, aligned.
    static constexpr u32 kPieces = 16;
    static constexpr u32 kPieceCount = (kCopied - kPieces) / sizeof(iovec);

    NetTransmitQueue* owner;
    iovec* pieces;    // what to write, if it was not copied
    u32 piece_count;  // 0: it was
    u32 place;        // in the pool
    u32 size;         // with the header
    u16 head;
    bool in_flight;
    OperationId operation;
    alignas(iovec) std::array<std::byte, kCopied> bytes;
  };

  bool begin_queue() override;
  bool serve() override;
  bool wants_more() const override { return !free_.empty(); }
  void end_queue() override;
  bool is_idle() const override { return free_.size() == size_; }

  bool take_one();
  bool drop();
  bool read(Frame& frame);
  void send(Frame& frame);
  static void on_sent(void* frame, i32 result);
  static void on_room(void* frame, i32 result);
  void complete(Frame& frame, bool sent);
  Frame& at(u32 place) { return reinterpret_cast<Frame*>(frames_.data())[place]; }

  NetDevice& device_;
  const int fd_;
  const FixedFile file_;
  NetCounters counters_;
  u32 size_ = 0;           // of the queue, and of the pool
  Mapping frames_;         // the pool
  Mapping many_pieces_;    // room for chains with more pieces than is usual
  std::vector<u32> free_;  // places of the pool; the last one used is the next one taken
};

}  // namespace mote::virtio
