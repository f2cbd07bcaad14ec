// SPDX-License-Identifier: Apache-2.0
#include "core/buffer_ring.hpp"

#include <bit>

#include "core/check.hpp"

namespace mote {
namespace {

constexpr u32 kCacheLine = 64;

/// From one buffer to the next. Whole cache lines but not whole pages: beginnings of buffers, which
/// are all that small frames fill, do not compete for the same places of the cache.
constexpr u32 stride_of(u32 size) {
  const u32 lines = (size + kCacheLine - 1) / kCacheLine;
  return (lines % 2 == 0 ? lines + 1 : lines) * kCacheLine;
}

Result<Mapping> map(std::size_t size, std::string_view what) {
  return Mapping::create(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                         -1, 0, what);
}

}  // namespace

BufferRing::BufferRing(u16 count, u32 size, Mapping entries, Mapping buffers)
    : count_(count),
      size_(size),
      stride_(stride_of(size)),
      entries_(std::move(entries)),
      buffers_(std::move(buffers)) {}

Result<BufferRing> BufferRing::create(u16 count, u32 size) {
  CHECK(std::has_single_bit(count) && count <= 1u << 15, "the kernel's sizes of buffer rings");
  Mapping entries = TRY(map(count * sizeof(io_uring_buf), "a ring of buffers"));
  Mapping buffers = TRY(map(std::size_t{count} * stride_of(size), "buffers to read into"));
  return BufferRing(count, size, std::move(entries), std::move(buffers));
}

void BufferRing::give(u16 index) {
  // The tail lies in the first entry's reserved word, which is therefore not written here.
  io_uring_buf& entry = reinterpret_cast<io_uring_buf*>(entries_.data())[tail_ & (count_ - 1)];
  entry.addr = reinterpret_cast<u64>(buffer(index).data());
  entry.len = size_;
  entry.bid = index;
  ++tail_;
}

}  // namespace mote
