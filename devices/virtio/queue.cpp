// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/queue.hpp"

#include <atomic>
#include <bit>

#include "devices/virtio/features.hpp"

namespace mote::virtio {
namespace {

constexpr u64 kDescriptorSize = 16;

// Available ring [Virtio 1.2 2.7.6]: flags, idx, ring[size], used_event.
// Used ring [Virtio 1.2 2.7.8]: flags, idx, ring[size] of id and length, avail_event.
constexpr u64 kFlags = 0;
constexpr u64 kIndex = 2;
constexpr u64 kRing = 4;
constexpr u64 kAvailableEntry = 2;
constexpr u64 kUsedEntry = 8;
constexpr u64 kEventSize = 2;

constexpr u16 kNoInterrupt = 1;  // in the available ring's flags
constexpr u16 kNoNotify = 1;     // in the used ring's flags

struct UsedElement {
  u32 id;
  u32 length;
};
static_assert(sizeof(UsedElement) == kUsedEntry);

constexpr u16 next(u16 index) {
  return static_cast<u16>(index + 1);
}

/// What the driver does after and before: neither side may miss the other's last step.
void full_fence() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

/// Whether `event` is among the steps from `before` to `now` [Virtio 1.2 2.7.7.2].
constexpr bool passed(u16 event, u16 now, u16 before) {
  return static_cast<u16>(now - event - 1) < static_cast<u16>(now - before);
}

bool is_aligned(Gpa address, u64 alignment) {
  return address.raw() % alignment == 0;
}

}  // namespace

std::optional<Queue> Queue::map(const GuestMemory& memory, const QueueLayout& layout, u64 features,
                                QueuePosition position) {
  if (!std::has_single_bit(layout.size) || layout.size > kMaxQueueSize) return std::nullopt;
  if (!is_aligned(layout.descriptors, 16) || !is_aligned(layout.available, 2) ||
      !is_aligned(layout.used, 4)) {
    return std::nullopt;
  }
  const u64 size = layout.size;
  const auto descriptors = memory.slice(layout.descriptors, size * kDescriptorSize);
  const auto available =
      memory.slice(layout.available, kRing + size * kAvailableEntry + kEventSize);
  const auto used = memory.slice(layout.used, kRing + size * kUsedEntry + kEventSize);
  if (!descriptors || !available || !used) return std::nullopt;
  Queue queue;
  queue.descriptors_ = *descriptors;
  queue.available_ = *available;
  queue.used_ = *used;
  queue.size_ = layout.size;
  queue.next_available_ = position.next_available;
  queue.next_used_ = queue.published_ = position.next_used;
  queue.event_idx_ = (features & feature::kEventIdx) != 0;
  queue.indirect_ = (features & feature::kIndirectDesc) != 0;
  return queue;
}

bool Queue::has_available() const {
  return !broken_ && available_.load_acquire(kIndex) != next_available_;
}

Queue::Pop Queue::pop(const GuestMemory& memory, Chain& chain) {
  if (broken_) return Pop::kBroken;
  const auto waiting = static_cast<u16>(available_.load_acquire(kIndex) - next_available_);
  if (waiting == 0) return Pop::kEmpty;
  // A descriptor is in one chain at a time: what waits and what is being worked on are together no
  // more than the queue's size.
  const auto taken = static_cast<u16>(next_available_ - next_used_);
  const u64 slot = next_available_ % size_;
  u16 head = 0;
  broken_ = u32{waiting} + taken > size_ ||
            !available_.load(kRing + slot * kAvailableEntry, head) ||
            !chain.read(memory, descriptors_, size_, head, indirect_);
  if (broken_) return Pop::kBroken;
  next_available_ = next(next_available_);
  return Pop::kChain;
}

void Queue::unpop(u16 count) {
  next_available_ = static_cast<u16>(next_available_ - count);
}

void Queue::push(u16 head, u32 written) {
  const u64 slot = next_used_ % size_;
  static_cast<void>(used_.store(kRing + slot * kUsedEntry, UsedElement{head, written}));
  next_used_ = next(next_used_);
}

bool Queue::publish() {
  const u16 before = published_;
  if (next_used_ == before) return false;
  published_ = next_used_;
  used_.store_release(kIndex, published_);
  full_fence();
  if (!event_idx_) return (available_.load_acquire(kFlags) & kNoInterrupt) == 0;
  const u16 used_event = available_.load_acquire(kRing + u64{size_} * kAvailableEntry);
  return passed(used_event, published_, before);
}

/// With EVENT_IDX the driver notifies when it passes avail_event, which is left behind.
void Queue::suppress_kicks() {
  if (!event_idx_) used_.store_release(kFlags, kNoNotify);
}

bool Queue::request_kicks() {
  if (event_idx_) {
    used_.store_release(kRing + u64{size_} * kUsedEntry, next_available_);
  } else {
    used_.store_release(kFlags, 0);
  }
  full_fence();
  return has_available();
}

}  // namespace mote::virtio
