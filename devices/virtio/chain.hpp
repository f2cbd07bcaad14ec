// SPDX-License-Identifier: Apache-2.0
// A descriptor chain, read once and checked [Virtio 1.2 2.7.5]: pieces of guest RAM, those that the
// device reads first, then those that it writes.
#pragma once

#include <span>
#include <vector>

#include "core/guest_memory.hpp"
#include "core/types.hpp"

namespace mote::virtio {

/// A place to read chains into, again and again without allocation.
class Chain {
 public:
  /// Room for chains of up to `capacity` descriptors.
  explicit Chain(std::size_t capacity) { segments_.reserve(capacity); }

  /// The chain's name for `Queue::push`.
  u16 head() const { return head_; }
  std::span<const GuestSlice> readable() const {
    return std::span(segments_).first(readable_count_);
  }
  std::span<const GuestSlice> writable() const {
    return std::span(segments_).subspan(readable_count_);
  }
  /// Bytes in all readable, and in all writable segments.
  u64 readable_size() const { return readable_size_; }
  u64 writable_size() const { return writable_size_; }

  /// Reads the chain that begins at `head` of the table `descriptors` (`queue_size` entries). False
  /// when it breaks the rules: an index or an indirect table out of range, more descriptors than
  /// the queue has, a loop, more than 4 GiB, a segment that is empty or not in RAM, a readable
  /// segment behind a writable one, an indirect table in an indirect table or without the feature.
  [[nodiscard]] bool read(const GuestMemory& memory, const GuestSlice& descriptors, u16 queue_size,
                          u16 head, bool indirect_allowed);

 private:
  [[nodiscard]] bool add(const GuestMemory& memory, Gpa address, u32 length, bool writable);

  std::vector<GuestSlice> segments_;
  std::size_t readable_count_ = 0;
  u64 readable_size_ = 0;
  u64 writable_size_ = 0;
  u16 head_ = 0;
};

/// Copies bytes from the front of `segments`, as if they were one buffer, into `out`; false when
/// they are fewer.
[[nodiscard]] bool gather(std::span<const GuestSlice> segments, std::span<std::byte> out);
/// Copies `bytes` to the front of `segments`, as if they were one buffer; false when they are
/// fewer.
[[nodiscard]] bool scatter(std::span<const GuestSlice> segments, std::span<const std::byte> bytes);

}  // namespace mote::virtio
