// SPDX-License-Identifier: Apache-2.0
// Reads a descriptor frame by frame ahead of whoever takes the frames.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/buffer_ring.hpp"
#include "core/event_loop.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// Is told of frames that a FrameReader has read. On the loop's thread.
class FrameListener {
 public:
  virtual ~FrameListener() = default;
  virtual void on_frame() = 0;
  /// Nothing more is read until the next `FrameReader::start`. `error`: a negated errno, or 0 when
  /// the other end has closed.
  virtual void on_read_failed(i32 error) = 0;
  /// After a `FrameReader::stop` that found it reading: nothing is on its way any more.
  virtual void on_read_stopped() = 0;
};

/// Reads from a descriptor, each read a frame, into buffers of its own, and keeps the frames until
/// they are dropped, oldest first. When all buffers are full, what follows stays in the descriptor.
///
/// One read brings many frames where the kernel can do that, else each read starts the next. All
/// members are for the loop's thread, or any one thread before the loop runs.
class FrameReader final : private ReadSink {
 public:
  /// What to read from and into.
  struct Options {
    int fd = -1;
    u16 buffers = 64;       ///< a power of two
    u32 size = 0;           ///< of a buffer: of a longer frame, the descriptor decides
    bool multishot = true;  ///< if the kernel can
  };

  /// Before the loop runs; the reader and `listener` outlive its last turn.
  static Result<std::unique_ptr<FrameReader>> create(EventLoop& loop, const Options& options,
                                                     FrameListener& listener);
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  /// Reads from now on.
  void start();
  /// Reads nothing more; while it `is_reading`, a frame that is on its way may still come.
  void stop();
  bool is_reading() const { return reading_; }

  /// The oldest frame; empty when there is none.
  std::span<std::byte> front();
  /// Gives its buffer back. Precondition: there is one.
  void drop_front();
  /// Reads on into buffers that were given back: once for many of them.
  void refill();

  /// Frames that wait, oldest first; plain data.
  using Frames = std::vector<std::vector<std::byte>>;
  /// A copy of them. While it is not reading also for another thread.
  Frames save() const;
  /// Takes frames that another has read, in place of those that wait: as many as there are buffers,
  /// and of these the ones that fit. No more are read until they are dropped. The same.
  void restore(Frames frames);

 private:
  struct Frame {
    u16 buffer;
    u32 size;
  };
  FrameReader(EventLoop& loop, const Options& options, BufferRing buffers, FrameListener& listener);
  void on_read(u16 buffer, u32 size) override;
  void on_read_end(i32 result) override;
  void on_single(i32 result);
  void read_on();
  void forget();

  EventLoop& loop_;
  FrameListener& listener_;
  const int fd_;
  BufferRing buffers_;
  bool multishot_ = false;
  std::vector<Frame> frames_;  // a ring: places first_ .. first_ + count_ - 1 are taken
  u32 first_ = 0;
  u32 count_ = 0;
  Frames restored_;         // these come first,
  u32 restored_first_ = 0;  // from here on
  bool wanted_ = false;     // between `start` and `stop`
  bool reading_ = false;    // `operation_` is in flight
  OperationId operation_;
};

}  // namespace mote
