// SPDX-License-Identifier: Apache-2.0
// The driver's side of a split queue [Virtio 1.2 2.7]. One vCPU at a time, ring 0 or 3.
#include "guests/kit/virtqueue.hpp"

#include "guests/kit/arena.hpp"

namespace kit::virtio {
namespace {

// Alignments of the three parts [2.7]; each begins a page here.
constexpr u64 kPage = 4096;

void fill(Descriptor& descriptor, const Segment& segment, u16 next, bool is_last) {
  const auto direction = static_cast<u16>(segment.device_writes ? kDeviceWrites : 0);
  descriptor = {segment.address, segment.length,
                static_cast<u16>(direction | (is_last ? 0 : kNext)), is_last ? u16{0} : next};
}

// What was stored before is seen by the device before what is loaded after.
void full_fence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

}  // namespace

bool Virtqueue::allocate() {
  descriptors_ = static_cast<Descriptor*>(take_memory(kMaxSize * sizeof(Descriptor), kPage));
  available_ = static_cast<Available*>(take_memory(sizeof(Available), kPage));
  used_ = static_cast<UsedRing*>(take_memory(sizeof(UsedRing), kPage));
  next_free_ = static_cast<u16*>(take_memory(kMaxSize * sizeof(u16), kPage));
  chain_lengths_ = static_cast<u16*>(take_memory(kMaxSize * sizeof(u16), kPage));
  return chain_lengths_ != nullptr;
}

void Virtqueue::start(u16 size, bool has_event_index) {
  size_ = size;
  has_event_index_ = has_event_index;
  __builtin_memset(descriptors_, 0, size * sizeof(Descriptor));
  __builtin_memset(available_, 0, sizeof(Available));
  __builtin_memset(used_, 0, sizeof(UsedRing));
  for (u16 i = 0; i < size; i++) next_free_[i] = static_cast<u16>(i + 1);
  first_free_ = 0;
  free_count_ = size;
  available_index_ = 0;
  kicked_index_ = 0;
  last_used_ = 0;
}

RingAddresses Virtqueue::rings() const {
  return {reinterpret_cast<u64>(descriptors_), reinterpret_cast<u64>(available_),
          reinterpret_cast<u64>(used_)};
}

u16 Virtqueue::take_free() {
  const u16 index = first_free_;
  first_free_ = next_free_[index];
  free_count_--;
  return index;
}

bool Virtqueue::add(std::span<const Segment> segments, u16& head) {
  if (segments.empty() || segments.size() > free_count_) return false;
  head = first_free_;
  chain_lengths_[head] = static_cast<u16>(segments.size());
  for (std::size_t i = 0; i < segments.size(); i++) {
    const u16 index = take_free();
    fill(descriptors_[index], segments[i], first_free_, i + 1 == segments.size());
  }
  offer_raw(head);
  return true;
}

bool Virtqueue::add_indirect(std::span<const Segment> segments, Descriptor* table, u16& head) {
  if (segments.empty() || free_count_ == 0) return false;
  for (std::size_t i = 0; i < segments.size(); i++) {
    fill(table[i], segments[i], static_cast<u16>(i + 1), i + 1 == segments.size());
  }
  head = take_free();
  chain_lengths_[head] = 1;
  descriptors_[head] = {reinterpret_cast<u64>(table),
                        static_cast<u32>(segments.size() * sizeof(Descriptor)), kIndirect, 0};
  offer_raw(head);
  return true;
}

void Virtqueue::jump_available(u16 count) {
  store(available_->index, static_cast<u16>(available_index_ + count));
}

bool Virtqueue::pop(Used& used) {
  if (!pop_raw(used)) return false;
  if (used.head >= size_) return true;  // the device's fault, for the caller to report
  u16 last = static_cast<u16>(used.head);
  const u16 length = chain_lengths_[last];
  for (u16 i = 1; i < length; i++) last = next_free_[last];
  next_free_[last] = first_free_;
  first_free_ = static_cast<u16>(used.head);
  free_count_ = static_cast<u16>(free_count_ + length);
  return true;
}

void Virtqueue::suppress_interrupts() {
  constexpr u16 kFar = 0x8000;
  if (has_event_index_) {
    store(used_event(), static_cast<u16>(last_used_ + kFar));
  } else {
    store(available_->flags, kNoInterrupt);
  }
  full_fence();
}

bool Virtqueue::request_interrupt(u16 count) {
  if (has_event_index_) {
    store(used_event(), static_cast<u16>(last_used_ + count - 1));
  } else {
    store(available_->flags, 0);
  }
  full_fence();
  return static_cast<u16>(load(used_->index) - last_used_) < count;
}

}  // namespace kit::virtio
