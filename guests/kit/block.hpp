// SPDX-License-Identifier: Apache-2.0
// The driver's side of a virtio block device [Virtio 1.2 5.2]. First vCPU, ring 0 or 3; in ring 3
// it is quick everywhere.
#pragma once

#include <span>

#include "guests/kit/boot_info.hpp"
#include "guests/kit/types.hpp"
#include "guests/kit/virtio_transport.hpp"
#include "guests/kit/virtqueue.hpp"

namespace kit::block {

using virtio::feature;
using virtio::Segment;

// Features [5.2.3].
inline constexpr u64 kHasSizeMax = feature(1);
inline constexpr u64 kHasSegmentsMax = feature(2);
inline constexpr u64 kIsReadOnly = feature(5);
inline constexpr u64 kHasBlockSize = feature(6);
inline constexpr u64 kHasFlush = feature(9);
inline constexpr u64 kHasTopology = feature(10);
inline constexpr u64 kHasConfigWriteback = feature(11);
inline constexpr u64 kHasMultiQueue = feature(12);
inline constexpr u64 kHasDiscard = feature(13);
inline constexpr u64 kHasWriteZeroes = feature(14);

/// Offsets in the configuration space [5.2.4].
enum class Config : u32 {
  kCapacity = 0,  // 8 bytes, in sectors
  kSizeMax = 8,
  kSegmentsMax = 12,
  kBlockSize = 20,
  kPhysicalBlockExponent = 24,  // 1 byte
  kAlignmentOffset = 25,        // 1 byte
  kMinIoSize = 26,              // 2 bytes
  kOptIoSize = 28,
  kWriteback = 32,   // 1 byte
  kQueueCount = 34,  // 2 bytes
  kMaxDiscardSectors = 36,
  kMaxDiscardSegments = 40,
  kDiscardAlignment = 44,
  kMaxWriteZeroesSectors = 48,
  kMaxWriteZeroesSegments = 52,
  kWriteZeroesMayUnmap = 56,  // 1 byte
};

inline constexpr u32 kSectorSize = 512;

/// Types of requests [5.2.6].
enum class Type : u32 {
  kRead = 0,
  kWrite = 1,
  kFlush = 4,
  kGetId = 8,
  kGetLifetime = 10,
  kDiscard = 11,
  kWriteZeroes = 13,
  kSecureErase = 14,
};

struct Header {
  Type type;
  u32 reserved;
  u64 sector;
};
static_assert(sizeof(Header) == 16);

// Status bytes [5.2.6].
inline constexpr u8 kOk = 0;
inline constexpr u8 kIoError = 1;
inline constexpr u8 kUnsupported = 2;
/// What a status byte holds until the device writes it; no status of the specification.
inline constexpr u8 kNoAnswer = 0xEE;

/// What discard and write-zeroes take as data [5.2.6].
struct Range {
  u64 sector;
  u32 sectors;
  u32 flags;
};
inline constexpr u32 kUnmap = 1;

inline constexpr u32 kIdSize = 20;

/// How a request's pieces are laid out in the queue.
enum class Layout { kDirect, kIndirect };

/// A request as it is put together, with its header, status byte and indirect table. Large: not for
/// the stack.
class Chain {
 public:
  static constexpr u32 kMaxSegments = 300;

  Chain() = default;
  Chain(Type type, u64 sector) : header_{type, 0, sector} {}
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  /// Starts again.
  void restart(Type type, u64 sector) {
    header_ = {type, 0, sector};
    count_ = 0;
  }
  void add(Segment segment) {
    if (count_ < kMaxSegments) segments_[count_++] = segment;
  }
  /// The header in one piece.
  void add_header() { add(virtio::readable(&header_)); }
  void add_status() { add(virtio::writable(&status_)); }

  Header& header() { return header_; }
  std::span<const Segment> segments() const { return {segments_, count_}; }
  virtio::Descriptor* table() { return table_; }
  u8 status() const { return __atomic_load_n(&status_, __ATOMIC_ACQUIRE); }
  void clear_status() { __atomic_store_n(&status_, kNoAnswer, __ATOMIC_RELEASE); }
  u8* status_address() { return &status_; }

 private:
  Header header_{};
  u8 status_ = kNoAnswer;
  u32 count_ = 0;
  Segment segments_[kMaxSegments];
  alignas(16) virtio::Descriptor table_[kMaxSegments];
};

/// What start() is to ask for.
struct Wish {
  u64 features = ~u64{0};  // of those that the device offers and the driver knows
  u16 queues = 1;
  u16 queue_size = 256;  // or the device's maximum, if that is less
};

/// One disk and its queues.
class Disk {
 public:
  static constexpr u16 kMaxQueues = 16;
  /// What this driver can use.
  static constexpr u64 kKnownFeatures =
      virtio::kIndirectDescriptors | virtio::kEventIndex | virtio::kVersion1 | virtio::kRingReset |
      kHasSizeMax | kHasSegmentsMax | kIsReadOnly | kHasBlockSize | kHasFlush | kHasTopology |
      kHasConfigWriteback | kHasMultiQueue | kHasDiscard | kHasWriteZeroes;

  /// Finds the disk that the word `disk=N` selects (default 0) and prints a FAIL line when it is
  /// not there.
  bool find(const BootInfo& info);
  /// Resets the device and brings it up to DRIVER_OK with empty queues; false when it refuses.
  bool start(const Wish& wish = {});
  /// From reset to FEATURES_OK only.
  bool negotiate(u64 features);

  const virtio::Transport& transport() const { return transport_; }
  u32 irq() const { return transport_.irq(); }
  virtio::Virtqueue& queue(u16 index = 0) { return queues_[index]; }
  u16 queues() const { return queue_count_; }
  /// Features that start() or negotiate() settled on.
  u64 features() const { return features_; }
  bool has(u64 feature_bits) const { return (features_ & feature_bits) == feature_bits; }
  u64 capacity() const {
    return transport_.config64(static_cast<u32>(Config::kCapacity));  // in sectors
  }
  template <class T>
  T config(Config field) const {
    return transport_.config<T>(static_cast<u32>(field));
  }

  /// Makes a queue's rings anew and ready, as after a reset of it.
  bool start_queue(u16 index, u16 size);

  /// Puts a request into a queue, through `table` where that is given, and kicks if need be; false
  /// when the queue has no room.
  bool submit(std::span<const Segment> segments, virtio::Descriptor* table, u16 queue);
  /// The same for a whole chain, whose status byte is made kNoAnswer.
  bool submit(Chain& chain, Layout layout = Layout::kDirect, u16 queue = 0);
  /// Waits until this many chains were popped from a queue, at most two seconds, or until the
  /// device needs a reset.
  bool complete(u16 count, u16 queue = 0);
  /// submit() and complete() of one chain. Its status byte, or kNoAnswer. The device's count of
  /// bytes written is in last_length().
  u8 run(Chain& chain, Layout layout = Layout::kDirect, u16 queue = 0);

  /// A plain request: header, the data in one piece, status byte.
  u8 transfer(Type type, u64 sector, void* data, u32 size, Layout layout = Layout::kDirect,
              u16 queue = 0);
  u8 read(u64 sector, void* data, u32 size, u16 queue = 0) {
    return transfer(Type::kRead, sector, data, size, Layout::kDirect, queue);
  }
  u8 write(u64 sector, const void* data, u32 size, u16 queue = 0) {
    return transfer(Type::kWrite, sector, const_cast<void*>(data), size, Layout::kDirect, queue);
  }
  u8 flush() { return transfer(Type::kFlush, 0, nullptr, 0); }
  /// Discard or write-zeroes of the ranges.
  u8 change(Type type, std::span<const Range> ranges);

  u32 last_length() const { return last_length_; }
  /// The head of the chain that submit() made last.
  u16 last_head() const { return last_head_; }
  u64 kicks() const { return kicks_; }

 private:
  virtio::Transport transport_;
  virtio::Virtqueue queues_[kMaxQueues];
  bool has_memory_[kMaxQueues] = {};
  u16 queue_count_ = 0;
  u64 features_ = 0;
  u32 last_length_ = 0;
  u16 last_head_ = 0;
  u64 kicks_ = 0;
  Chain plain_;
};

}  // namespace kit::block
