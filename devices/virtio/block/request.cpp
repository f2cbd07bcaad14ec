// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/block/request.hpp"

#include <algorithm>

#include "devices/virtio/block/image.hpp"

namespace mote::virtio {
namespace {

/// [Virtio 1.2 5.2.6]
struct Header {
  u32 type;
  u32 reserved;
  u64 sector;
};
static_assert(sizeof(Header) == 16);

struct Range {
  u64 sector;
  u32 sectors;
  u32 flags;
};
static_assert(sizeof(Range) == 16);
constexpr u32 kUnmap = 1;

constexpr u32 kIn = 0;
constexpr u32 kOut = 1;
constexpr u32 kFlush = 4;
constexpr u32 kGetId = 8;
constexpr u32 kDiscard = 11;
constexpr u32 kWriteZeroes = 13;

bool in_disk(u64 sector, u64 length, u64 capacity) {
  const u64 first = capacity / kSectorSize;
  return sector <= first && length <= capacity - sector * kSectorSize;
}

/// The bytes of `segments` without the first `skip` and the last `drop`, as iovecs. False when they
/// are too many or one is too long.
bool collect(std::span<const GuestSlice> segments, u64 skip, u64 drop, std::span<iovec> out,
             u32& count) {
  u64 left = 0;
  for (const GuestSlice& segment : segments) left += segment.size();
  left -= skip + drop;
  count = 0;
  for (const GuestSlice& segment : segments) {
    const u64 skipped = std::min(skip, segment.size());
    skip -= skipped;
    const u64 size = std::min(segment.size() - skipped, left);
    left -= size;
    if (size == 0) continue;
    const auto part = segment.part(skipped, size);
    if (!part || count == out.size() || size > kMaxSegmentSize) return false;
    out[count++] = part->as_iovec();
  }
  return true;
}

void answer(BlockRequest& request, BlockStatus status) {
  request.operation = BlockOperation::kNone;
  request.status = status;
}

void parse_transfer(const Chain& chain, const BlockLimits& limits, const Header& header,
                    std::span<iovec> segments, BlockRequest& request) {
  const bool reads = header.type == kIn;
  request.operation = reads ? BlockOperation::kRead : BlockOperation::kWrite;
  request.length = reads ? chain.writable_size() - 1 : chain.readable_size() - sizeof(Header);
  const bool legal =
      (reads || !limits.read_only) && request.length > 0 && request.length % kSectorSize == 0 &&
      in_disk(header.sector, request.length, limits.capacity) &&
      (reads ? collect(chain.writable(), 0, 1, segments, request.segment_count)
             : collect(chain.readable(), sizeof(Header), 0, segments, request.segment_count));
  if (!legal) return answer(request, BlockStatus::kIoError);
  request.offset = header.sector * kSectorSize;
}

void parse_range(const Chain& chain, const BlockLimits& limits, u32 type, BlockRequest& request) {
  struct {
    Header header;
    Range range;
  } bytes;
  const bool zeroes = type == kWriteZeroes;
  if (!limits.can_discard) return answer(request, BlockStatus::kUnsupported);
  if (limits.read_only || chain.readable_size() != sizeof(bytes) ||
      !gather(chain.readable(), std::as_writable_bytes(std::span(&bytes, 1)))) {
    return answer(request, BlockStatus::kIoError);
  }
  const Range& range = bytes.range;
  if ((range.flags & ~(zeroes ? kUnmap : 0)) != 0) {
    return answer(request, BlockStatus::kUnsupported);
  }
  request.length = u64{range.sectors} * kSectorSize;
  if (range.sectors > kMaxRangeSectors || !in_disk(range.sector, request.length, limits.capacity)) {
    return answer(request, BlockStatus::kIoError);
  }
  if (range.sectors == 0) return answer(request, BlockStatus::kOk);
  request.operation = zeroes ? BlockOperation::kWriteZeroes : BlockOperation::kDiscard;
  request.unmap = (range.flags & kUnmap) != 0;
  request.offset = range.sector * kSectorSize;
}

}  // namespace

bool parse_block_request(const Chain& chain, const BlockLimits& limits, std::span<iovec> segments,
                         BlockRequest& request) {
  request = {};
  request.head = chain.head();
  if (chain.writable().empty()) return false;
  const GuestSlice& last = chain.writable().back();
  const auto status = last.part(last.size() - 1, 1);
  Header header;
  if (!status || !gather(chain.readable(), std::as_writable_bytes(std::span(&header, 1)))) {
    return false;
  }
  request.status_byte = *status;
  switch (header.type) {
    case kIn:
    case kOut:
      parse_transfer(chain, limits, header, segments, request);
      break;
    case kFlush:
      request.operation = BlockOperation::kFlush;
      break;
    case kGetId:
      request.operation = BlockOperation::kGetId;
      break;
    case kDiscard:
    case kWriteZeroes:
      parse_range(chain, limits, header.type, request);
      break;
    default:
      answer(request, BlockStatus::kUnsupported);
      break;
  }
  return true;
}

}  // namespace mote::virtio
