// SPDX-License-Identifier: Apache-2.0
// The driver's side of a split queue [Virtio 1.2 2.7]. One vCPU at a time, ring 0 or 3.
#pragma once

#include <span>

#include "guests/kit/types.hpp"
#include "guests/kit/virtio_transport.hpp"

namespace kit::virtio {

struct Descriptor {
  u64 address;
  u32 length;
  u16 flags;
  u16 next;
};
static_assert(sizeof(Descriptor) == 16);

// Flags of a descriptor [2.7.5].
inline constexpr u16 kNext = 1;
inline constexpr u16 kDeviceWrites = 2;
inline constexpr u16 kIndirect = 4;

/// Flag of the available ring: no interrupts, please [2.7.7].
inline constexpr u16 kNoInterrupt = 1;
/// Flag of the used ring: no notifications, please [2.7.10].
inline constexpr u16 kNoNotify = 1;

/// What a descriptor describes: a piece of a request.
struct Segment {
  u64 address;
  u32 length;
  bool device_writes;
};
template <class T>
Segment readable(const T* data, u32 length = sizeof(T)) {
  return {reinterpret_cast<u64>(data), length, false};
}
template <class T>
Segment writable(T* data, u32 length = sizeof(T)) {
  return {reinterpret_cast<u64>(data), length, true};
}

/// An entry of the used ring.
struct Used {
  u32 head;
  u32 length;
};

/// The rule of 2.7.10 and 2.7.7.2: somebody moved an index from `before` to `now` and the other
/// side asked to be told when it passes `event`.
constexpr bool passes(u16 event, u16 now, u16 before) {
  return static_cast<u16>(now - event - 1) < static_cast<u16>(now - before);
}

/// The rings of one queue and what the driver remembers of them. The plain way is add() or
/// add_indirect(), publish(), notify when needs_kick(), pop(). A test that breaks rules writes to
/// descriptor() and offer_raw() instead.
class Virtqueue {
 public:
  static constexpr u16 kMaxSize = 1024;

  /// Takes memory for rings of up to kMaxSize entries, once; false when there is none.
  bool allocate();
  /// Starts from empty rings of `size` entries, a power of two up to kMaxSize.
  void start(u16 size, bool has_event_index);

  u16 size() const { return size_; }
  u16 free_descriptors() const { return free_count_; }
  /// Chains that were published and not popped.
  u16 in_flight() const { return static_cast<u16>(available_index_ - last_used_); }
  RingAddresses rings() const;

  /// Puts a chain of the segments into free descriptors and into the available ring; false when
  /// there are too few. The device sees it after publish().
  bool add(std::span<const Segment> segments, u16& head);
  /// The same through `table`, which needs an entry for each segment and must stay until popped.
  bool add_indirect(std::span<const Segment> segments, Descriptor* table, u16& head);
  /// Shows the device what was added.
  void publish() { store(available_->index, available_index_); }
  /// True when the device wants to be told of what was published since the last call [2.7.10,
  /// 2.7.13.4.1].
  bool needs_kick();
  /// Takes the next used chain, frees its descriptors; false when there is none.
  bool pop(Used& used);
  /// The same for chains that the caller made of descriptor(): it frees nothing.
  bool pop_raw(Used& used);
  bool has_used() const { return load(used_->index) != last_used_; }

  /// Asks for no interrupts: by the flag, or by a used_event that is far away.
  void suppress_interrupts();
  /// Asks for an interrupt when `count` more chains than popped so far are used (with the event
  /// index), or for each (without). False when so many are used already: look, do not sleep.
  bool request_interrupt(u16 count = 1);

  Descriptor& descriptor(u16 index) { return descriptors_[index]; }
  /// Puts `head` into the available ring, whatever is there.
  void offer_raw(u16 head) { available_->ring[available_index_++ & (size_ - 1)] = head; }
  /// Overwrites the available ring's index with one `count` ahead of what was offered.
  void jump_available(u16 count);
  u16 available_index() const { return available_index_; }
  /// The used ring's index as the device wrote it.
  u16 used_index() const { return load(used_->index); }
  /// The used ring's flags as the device wrote them.
  u16 used_flags() const { return load(used_->flags); }

 private:
  struct Available {
    u16 flags;
    u16 index;
    u16 ring[kMaxSize + 1];  // behind the last entry: used_event
  };
  struct UsedRing {
    u16 flags;
    u16 index;
    Used ring[kMaxSize + 1];  // behind the last entry: avail_event
  };

  static u16 load(const u16& shared) { return __atomic_load_n(&shared, __ATOMIC_ACQUIRE); }
  static void store(u16& shared, u16 value) { __atomic_store_n(&shared, value, __ATOMIC_RELEASE); }
  u16& used_event() { return available_->ring[size_]; }
  // The device writes 16 bits there; they are the low half of what would be the next entry.
  u16 available_event() const {
    return static_cast<u16>(__atomic_load_n(&used_->ring[size_].head, __ATOMIC_ACQUIRE));
  }
  u16 take_free();

  Descriptor* descriptors_ = nullptr;
  Available* available_ = nullptr;
  UsedRing* used_ = nullptr;
  u16* next_free_ = nullptr;      // the free list; behind a taken one: the next of its chain
  u16* chain_lengths_ = nullptr;  // by head
  u16 size_ = 0;
  u16 first_free_ = 0;
  u16 free_count_ = 0;
  u16 available_index_ = 0;  // of what is offered
  u16 kicked_index_ = 0;     // of what was published at the last look for a kick
  u16 last_used_ = 0;
  bool has_event_index_ = false;
};

inline bool Virtqueue::needs_kick() {
  // The index is out before the device's wish is read.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  const u16 before = kicked_index_;
  kicked_index_ = available_index_;
  if (!has_event_index_) return (load(used_->flags) & kNoNotify) == 0;
  return passes(available_event(), available_index_, before);
}

inline bool Virtqueue::pop_raw(Used& used) {
  if (!has_used()) return false;
  used = used_->ring[last_used_++ & (size_ - 1)];
  return true;
}

}  // namespace kit::virtio
