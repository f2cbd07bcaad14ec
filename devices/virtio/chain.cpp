// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/chain.hpp"

#include <algorithm>

namespace mote::virtio {
namespace {

/// An entry of a descriptor table [Virtio 1.2 2.7.5].
struct Descriptor {
  u64 address;
  u32 length;
  u16 flags;
  u16 next;
};
static_assert(sizeof(Descriptor) == 16);

constexpr u16 kNext = 1;
constexpr u16 kWrite = 2;
constexpr u16 kIndirect = 4;

constexpr u64 kMaxChainSize = u64{1} << 32;  // bytes [Virtio 1.2 2.7.5.2]

}  // namespace

bool Chain::add(const GuestMemory& memory, Gpa address, u32 length, bool writable) {
  if (length == 0 || segments_.size() == segments_.capacity()) return false;
  if (readable_size_ + writable_size_ + length > kMaxChainSize) return false;
  const auto slice = memory.slice(address, length);
  if (!slice) return false;
  if (writable) {
    writable_size_ += length;
  } else {
    if (readable_count_ != segments_.size()) return false;  // behind a writable one
    ++readable_count_;
    readable_size_ += length;
  }
  segments_.push_back(*slice);
  return true;
}

/// A chain has at most `queue_size` descriptors, and one table in place of its end: a loop ends.
bool Chain::read(const GuestMemory& memory, const GuestSlice& descriptors, u16 queue_size, u16 head,
                 bool indirect_allowed) {
  segments_.clear();
  readable_count_ = 0;
  readable_size_ = 0;
  writable_size_ = 0;
  head_ = head;

  GuestSlice table = descriptors;
  u32 entries = queue_size;
  u32 index = head;
  bool in_indirect = false;
  while (segments_.size() < queue_size) {
    Descriptor descriptor;
    if (index >= entries || !table.load(u64{index} * sizeof(Descriptor), descriptor)) return false;
    if ((descriptor.flags & kIndirect) != 0) {
      // One table in place of the rest of the chain [Virtio 1.2 2.7.5.3].
      if (!indirect_allowed || in_indirect || (descriptor.flags & kNext) != 0) return false;
      if (descriptor.length == 0 || descriptor.length % sizeof(Descriptor) != 0) return false;
      entries = descriptor.length / static_cast<u32>(sizeof(Descriptor));
      if (entries > queue_size) return false;
      const auto indirect = memory.slice(Gpa(descriptor.address), descriptor.length);
      if (!indirect) return false;
      table = *indirect;
      index = 0;
      in_indirect = true;
      continue;
    }
    if (!add(memory, Gpa(descriptor.address), descriptor.length,
             (descriptor.flags & kWrite) != 0)) {
      return false;
    }
    if ((descriptor.flags & kNext) == 0) return true;
    index = descriptor.next;
  }
  return false;
}

bool gather(std::span<const GuestSlice> segments, std::span<std::byte> out) {
  for (const GuestSlice& segment : segments) {
    const auto piece = out.first(std::min<u64>(out.size(), segment.size()));
    if (!segment.read(0, piece)) return false;
    out = out.subspan(piece.size());
    if (out.empty()) return true;
  }
  return out.empty();
}

bool scatter(std::span<const GuestSlice> segments, std::span<const std::byte> bytes) {
  for (const GuestSlice& segment : segments) {
    const auto piece = bytes.first(std::min<u64>(bytes.size(), segment.size()));
    if (!segment.write(0, piece)) return false;
    bytes = bytes.subspan(piece.size());
    if (bytes.empty()) return true;
  }
  return bytes.empty();
}

}  // namespace mote::virtio
