// SPDX-License-Identifier: Apache-2.0
// One request to a disk, read out of a descriptor chain and checked [Virtio 1.2 5.2.6]. Pure.
#pragma once

#include <sys/uio.h>

#include <span>

#include "core/guest_memory.hpp"
#include "core/types.hpp"
#include "devices/virtio/chain.hpp"

namespace mote::virtio {

/// The status byte of a request [Virtio 1.2 5.2.6].
enum class BlockStatus : u8 { kOk = 0, kIoError = 1, kUnsupported = 2 };

enum class BlockOperation : u8 {
  kNone,  ///< nothing to do: `status` is the answer
  kRead,
  kWrite,
  kFlush,
  kGetId,
  kDiscard,
  kWriteZeroes,
};

/// What requests are checked against.
struct BlockLimits {
  u64 capacity = 0;  ///< bytes
  bool read_only = false;
  bool can_discard = false;
  u32 max_segments = 0;  ///< of data, in one request
};

/// Longest segment of data that a request may have, and longest range of one discard in sectors.
inline constexpr u32 kMaxSegmentSize = 1u << 20;
inline constexpr u32 kMaxRangeSectors = 1u << 22;
/// Bytes that answer a GET_ID.
inline constexpr std::size_t kBlockIdSize = 20;

struct BlockRequest {
  BlockOperation operation = BlockOperation::kNone;
  BlockStatus status = BlockStatus::kOk;  ///< when there is nothing to do
  bool unmap = false;                     ///< kWriteZeroes: blocks may be given back
  u16 head = 0;                           ///< the chain's name
  u32 segment_count = 0;                  ///< iovecs of data
  u64 offset = 0;                         ///< bytes from the start of the disk
  u64 length = 0;                         ///< bytes of data, or of the range
  GuestSlice status_byte;
};

/// Reads the request of `chain`; its data goes as iovecs into `segments`, which has room for
/// `limits.max_segments`. False when there is no place for a status, or no whole header: such a
/// driver cannot be answered. All else that is wrong with a request is its `status`.
[[nodiscard]] bool parse_block_request(const Chain& chain, const BlockLimits& limits,
                                       std::span<iovec> segments, BlockRequest& request);

}  // namespace mote::virtio
