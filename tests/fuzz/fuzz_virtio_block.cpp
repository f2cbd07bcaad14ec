// SPDX-License-Identifier: Apache-2.0
// Requests to a disk: eight bytes say what the disk is like, the rest is the table of a queue and
// whatever lies behind it in RAM.
#include <algorithm>

#include "core/check.hpp"
#include "devices/virtio/block/image.hpp"
#include "devices/virtio/block/request.hpp"

using namespace mote;
using virtio::BlockOperation;

namespace {

constexpr u16 kSize = 32;
constexpr u64 kRam = 4 * kMiB;  // segments above SIZE_MAX fit
constexpr u64 kInput = 16 * kKiB;

const GuestMemory& ram() {
  static const GuestMemory memory = [] {
    const GpaRange ranges[] = {{Gpa(0), kRam}};
    auto result = GuestMemory::create(ranges);
    CHECK(result.has_value(), "a little memory can be mapped");
    return *std::move(result);
  }();
  return memory;
}

/// Whether `piece` lies in one of `segments`.
bool is_in(const iovec& piece, std::span<const GuestSlice> segments) {
  const auto begin = reinterpret_cast<u64>(piece.iov_base);
  return std::any_of(segments.begin(), segments.end(), [&](const GuestSlice& segment) {
    const auto base = reinterpret_cast<u64>(segment.as_iovec().iov_base);
    return begin >= base && begin - base <= segment.size() &&
           piece.iov_len <= segment.size() - (begin - base);
  });
}

void check_range(const virtio::BlockRequest& request, const virtio::BlockLimits& limits) {
  CHECK(request.length > 0 && request.length % virtio::kSectorSize == 0, "whole sectors");
  CHECK(request.offset % virtio::kSectorSize == 0, "from a sector on");
  CHECK(request.offset <= limits.capacity && request.length <= limits.capacity - request.offset,
        "on the disk");
}

void check_transfer(const virtio::Chain& chain, const virtio::BlockLimits& limits,
                    std::span<const iovec> room, const virtio::BlockRequest& request) {
  const bool reads = request.operation == BlockOperation::kRead;
  CHECK(reads || !limits.read_only, "nothing is written to a read-only disk");
  check_range(request, limits);
  CHECK(request.segment_count > 0 && request.segment_count <= limits.max_segments, "they fit");
  u64 total = 0;
  for (const iovec& piece : room.first(request.segment_count)) {
    CHECK(piece.iov_len > 0 && piece.iov_len <= virtio::kMaxSegmentSize, "of a size that is told");
    CHECK(is_in(piece, reads ? chain.writable() : chain.readable()), "the driver's, in RAM");
    total += piece.iov_len;
  }
  CHECK(total == request.length, "the pieces are the data");
  CHECK(total == (reads ? chain.writable_size() - 1 : chain.readable_size() - 16),
        "all of it, without header and status");
}

void check(const virtio::Chain& chain, const virtio::BlockLimits& limits,
           std::span<const iovec> room, const virtio::BlockRequest& request) {
  CHECK(request.head == chain.head(), "the chain's name");
  const iovec status = request.status_byte.as_iovec();
  const iovec last = chain.writable().back().as_iovec();
  CHECK(status.iov_len == 1 && static_cast<std::byte*>(status.iov_base) ==
                                   static_cast<std::byte*>(last.iov_base) + last.iov_len - 1,
        "the status is the last byte that the driver reads");
  switch (request.operation) {
    case BlockOperation::kRead:
    case BlockOperation::kWrite:
      return check_transfer(chain, limits, room, request);
    case BlockOperation::kDiscard:
    case BlockOperation::kWriteZeroes:
      CHECK(limits.can_discard && !limits.read_only, "the disk can do that");
      CHECK(request.length / virtio::kSectorSize <= virtio::kMaxRangeSectors,
            "no longer than told");
      CHECK(!request.unmap || request.operation == BlockOperation::kWriteZeroes, "its only flag");
      return check_range(request, limits);
    case BlockOperation::kFlush:
    case BlockOperation::kGetId:
    case BlockOperation::kNone:
      CHECK(request.segment_count == 0 || request.operation == BlockOperation::kNone, "no data");
      CHECK(request.status <= virtio::BlockStatus::kUnsupported, "a status of the specification");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  if (size < 8) return 0;
  const std::span data(bytes, size);
  const virtio::BlockLimits limits{.capacity = (u64{data[0]} | u64{data[1]} << 8)
                                               << (data[2] % 40) << 9,
                                   .read_only = (data[3] & 1) != 0,
                                   .can_discard = (data[3] & 2) != 0,
                                   .max_segments = u32{data[4]} % kSize + 1};
  const auto all = ram().slice(Gpa(0), kInput);
  CHECK(all && all->clear(0, kInput), "RAM starts empty");
  CHECK(all->write(0, std::as_bytes(data.subspan(8, std::min<u64>(size - 8, kInput)))), "it fits");

  virtio::Chain chain(kSize);
  const auto table = ram().slice(Gpa(0), u64{16} * kSize);
  for (u16 head = 0; head < kSize; ++head) {
    if (!chain.read(ram(), *table, kSize, head, true)) continue;
    std::vector<iovec> room(limits.max_segments);  // of exactly this size: a piece more is seen
    virtio::BlockRequest request;
    const bool answerable = chain.readable_size() >= 16 && !chain.writable().empty();
    CHECK(virtio::parse_block_request(chain, limits, room, request) == answerable,
          "a header and a place for the status are all that is needed");
    if (answerable) check(chain, limits, room, request);
  }
  return 0;
}
