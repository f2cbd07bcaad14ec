// SPDX-License-Identifier: Apache-2.0
// Buffers that the kernel takes by itself when it has something to read: a ring of provided
// buffers.
#pragma once

#include <liburing.h>

#include <span>

#include "core/mapping.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// Gets what a read into provided buffers brings. On the loop's thread.
class ReadSink {
 public:
  virtual ~ReadSink() = default;
  /// `size` bytes have been read into `buffer`, which is the sink's until it gives it back.
  virtual void on_read(u16 buffer, u32 size) = 0;
  /// The read has ended and may be started anew. `result`: above 0, nothing is wrong; 0, the end of
  /// the file; else a negated errno: -ENOBUFS when there was no buffer left, -ECANCELED.
  virtual void on_read_end(i32 result) = 0;
};

/// Buffers of one size, side by side, and the ring by which they are handed to the kernel: first
/// in, first filled. Memory that was never filled costs address space only. One thread at a time.
class BufferRing {
 public:
  /// `count` buffers (a power of two up to 2^15) of `size` bytes, all of them ours.
  static Result<BufferRing> create(u16 count, u32 size);

  u16 count() const { return count_; }
  /// Bytes of buffer `index`.
  std::span<std::byte> buffer(u16 index) const {
    return {buffers_.data() + std::size_t{index} * stride_, size_};
  }
  /// Hands a buffer over; the kernel sees it after `publish`.
  void give(u16 index);
  void publish() { io_uring_smp_store_release(&ring()->tail, tail_); }

 private:
  friend class EventLoop;
  BufferRing(u16 count, u32 size, Mapping entries, Mapping buffers);
  io_uring_buf_ring* ring() const { return reinterpret_cast<io_uring_buf_ring*>(entries_.data()); }

  u16 count_;
  u16 group_ = 0;  // its name in the loop that it was added to
  u16 tail_ = 0;
  u32 size_;
  u32 stride_;
  Mapping entries_;
  Mapping buffers_;
};

}  // namespace mote
