// SPDX-License-Identifier: Apache-2.0
// The driver's side of a virtqueue [Virtio 1.2 2.7], for tests of devices: it lays chains into
// guest memory as a guest would, rightly or wrongly.
#pragma once

#include <initializer_list>
#include <optional>
#include <vector>

#include "core/guest_memory.hpp"
#include "devices/virtio/queue.hpp"

namespace mote::test {

/// One descriptor as the driver writes it.
struct Desc {
  u64 address = 0;
  u32 length = 0;
  u16 flags = 0;
  u16 next = 0;
};
inline constexpr u16 kNext = 1, kWrite = 2, kIndirect = 4;

/// `size` bytes of RAM from address 0.
inline GuestMemory make_ram(u64 size = kMiB) {
  const GpaRange ranges[] = {{Gpa(0), size}};
  auto memory = GuestMemory::create(ranges);
  CHECK(memory.has_value(), "a little memory can be mapped");
  return *std::move(memory);
}

/// A queue from `base` on, which takes 16 KiB + 32 * size bytes at the most. Rings start as zeros.
class TestDriver {
 public:
  TestDriver(const GuestMemory& memory, u16 size, u64 base = 0x1000, bool event_idx = true)
      : memory_(memory), event_idx_(event_idx) {
    layout_.size = size;
    layout_.descriptors = Gpa(base);
    layout_.available = Gpa(base + 16u * size);
    layout_.used = Gpa(base + ((16u * size + 2u * size + 6 + 0xfff) & ~u64{0xfff}));
    for (u16 i = size; i > 0; --i) free_.push_back(static_cast<u16>(i - 1));
    chains_.resize(size);
    available_ = view(layout_.available, 6 + 2u * size);
    used_ = view(layout_.used, 6 + 8u * size);
  }

  const virtio::QueueLayout& layout() const { return layout_; }

  /// Writes descriptor `index` of the table.
  void write(u16 index, const Desc& descriptor) {
    put(layout_.descriptors.raw() + 16u * index, descriptor);
  }
  /// Writes any value anywhere.
  template <class T>
  void put(u64 address, const T& value) {
    CHECK(memory_.store(Gpa(address), value), "tests write to RAM");
  }

  /// Makes the chain that begins at `head` available; the device sees it after `publish`.
  void offer(u16 head) {
    CHECK(available_.store(4 + 2u * (next_available_ % layout_.size), head), "in the ring");
    ++next_available_;
  }
  /// Lays out a chain of these segments (flags: kWrite or 0) and offers it. Nothing when the table
  /// has no room. Answers its head.
  std::optional<u16> add(std::initializer_list<Desc> segments) {
    return add(std::vector<Desc>(segments));
  }
  std::optional<u16> add(const std::vector<Desc>& segments) {
    if (free_.size() < segments.size() || segments.empty()) return std::nullopt;
    std::vector<u16> places;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      places.push_back(free_.back());
      free_.pop_back();
    }
    for (std::size_t i = 0; i < segments.size(); ++i) {
      Desc descriptor = segments[i];
      if (i + 1 < segments.size()) {
        descriptor.flags |= kNext;
        descriptor.next = places[i + 1];
      }
      write(places[i], descriptor);
    }
    chains_[places[0]] = places;
    offer(places[0]);
    return places[0];
  }
  /// Shows the device what was offered; true when the device asked to be notified of it.
  bool publish() {
    const u16 before = published_;
    published_ = next_available_;
    available_.store_release(2, published_);
    fence();
    if (!event_idx_) return (used_.load_acquire(0) & 1) == 0;
    const u16 event = used_.load_acquire(4 + 8u * layout_.size);
    return static_cast<u16>(published_ - event - 1) < static_cast<u16>(published_ - before);
  }
  /// Sets the available ring's index to any value.
  void set_available_index(u16 index) { available_.store_release(2, index); }

  /// An element of the used ring.
  struct Used {
    u32 id = 0;
    u32 written = 0;
    bool operator==(const Used&) const = default;
  };
  u16 used_index() const { return used_.load_acquire(2); }
  /// The next used element; its descriptors are free again.
  std::optional<Used> take() {
    if (used_index() == next_used_) return std::nullopt;
    Used used;
    CHECK(used_.load(4 + 8u * (next_used_ % layout_.size), used), "in the ring");
    ++next_used_;
    if (used.id < chains_.size()) {
      for (const u16 place : chains_[used.id]) free_.push_back(place);
      chains_[used.id].clear();
    }
    return used;
  }
  /// Asks for an interrupt at the next used element; true when there is one already.
  bool want_interrupt() {
    if (event_idx_) {
      available_.store_release(4 + 2u * layout_.size, next_used_);
    } else {
      available_.store_release(0, 0);
    }
    fence();
    return used_index() != next_used_;
  }
  /// Asks for no interrupts.
  void refuse_interrupts() {
    if (event_idx_) {
      available_.store_release(4 + 2u * layout_.size, static_cast<u16>(next_used_ - 1));
    } else {
      available_.store_release(0, 1);
    }
  }

 private:
  GuestSlice view(Gpa address, u64 size) const {
    const auto slice = memory_.slice(address, size);
    CHECK(slice.has_value(), "the rings lie in RAM");
    return *slice;
  }
  static void fence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

  const GuestMemory& memory_;
  const bool event_idx_;
  virtio::QueueLayout layout_;
  GuestSlice available_, used_;
  std::vector<u16> free_;
  std::vector<std::vector<u16>> chains_;  // by head: the chain's descriptors
  u16 next_available_ = 0;
  u16 published_ = 0;
  u16 next_used_ = 0;
};

}  // namespace mote::test
