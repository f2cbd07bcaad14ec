// SPDX-License-Identifier: Apache-2.0
// The driver's side of a virtio network device [Virtio 1.2 5.1]. First vCPU, ring 0 or 3; in ring 3
// it is quick everywhere.
#pragma once

#include <span>

#include "guests/kit/boot_info.hpp"
#include "guests/kit/frame.hpp"
#include "guests/kit/types.hpp"
#include "guests/kit/virtio_transport.hpp"
#include "guests/kit/virtqueue.hpp"

namespace kit::net {

using frame::Mac;
using virtio::feature;

inline constexpr u32 kDeviceId = 1;

// Features [5.1.3].
inline constexpr u64 kHasChecksum = feature(0);
inline constexpr u64 kTakesPartialChecksum = feature(1);  // GUEST_CSUM
inline constexpr u64 kHasGuestOffloads = feature(2);      // CTRL_GUEST_OFFLOADS
inline constexpr u64 kHasMtu = feature(3);
inline constexpr u64 kHasMac = feature(5);
inline constexpr u64 kTakesTso4 = feature(7);
inline constexpr u64 kTakesTso6 = feature(8);
inline constexpr u64 kTakesEcn = feature(9);
inline constexpr u64 kTakesUfo = feature(10);
inline constexpr u64 kHasTso4 = feature(11);
inline constexpr u64 kHasTso6 = feature(12);
inline constexpr u64 kHasEcn = feature(13);
inline constexpr u64 kHasUfo = feature(14);
inline constexpr u64 kMergesBuffers = feature(15);
inline constexpr u64 kHasStatus = feature(16);
inline constexpr u64 kHasControl = feature(17);
inline constexpr u64 kHasAnnounce = feature(21);
inline constexpr u64 kHasMultiQueue = feature(22);
inline constexpr u64 kTakesUso4 = feature(54);
inline constexpr u64 kTakesUso6 = feature(55);
inline constexpr u64 kHasUso = feature(56);

/// What lets the device pass on frames larger than the MTU.
inline constexpr u64 kTakesLarge = kTakesTso4 | kTakesTso6 | kTakesUso4 | kTakesUso6;
/// Offloads that CTRL_GUEST_OFFLOADS can switch, by the bits of their features [5.1.6.5.6.1].
inline constexpr u64 kSwitchable = kTakesPartialChecksum | kTakesLarge | kTakesEcn | kTakesUfo;

/// Offsets in the configuration space [5.1.4].
enum class Config : u32 {
  kMac = 0,       // 6 bytes
  kStatus = 6,    // 2 bytes
  kPairsMax = 8,  // 2 bytes
  kMtu = 10,      // 2 bytes
};
// Bits of kStatus.
inline constexpr u16 kLinkUp = 1;
inline constexpr u16 kAnnounce = 2;

/// What is in front of each frame [5.1.6].
struct Header {
  u8 flags;
  u8 gso_type;
  u16 header_length;
  u16 gso_size;
  u16 checksum_start;
  u16 checksum_offset;
  u16 buffers;
};
static_assert(sizeof(Header) == 12);
inline constexpr u32 kHeaderSize = sizeof(Header);

// Flags.
inline constexpr u8 kNeedsChecksum = 1;
inline constexpr u8 kDataValid = 2;
// Types of GSO.
inline constexpr u8 kNoGso = 0;
inline constexpr u8 kGsoTcp4 = 1;
inline constexpr u8 kGsoUdp = 3;
inline constexpr u8 kGsoTcp6 = 4;
inline constexpr u8 kGsoUdpL4 = 5;
inline constexpr u8 kGsoEcn = 0x80;

// Commands of the control queue [5.1.6.5].
inline constexpr u8 kClassReceiveMode = 0;
inline constexpr u8 kClassMac = 1;
inline constexpr u8 kClassVlan = 2;
inline constexpr u8 kClassAnnounce = 3;
inline constexpr u8 kClassMultiQueue = 4;
inline constexpr u8 kClassOffloads = 5;
inline constexpr u8 kAnnounceAck = 0;
inline constexpr u8 kSetPairs = 0;
inline constexpr u8 kSetOffloads = 0;
// Their answers.
inline constexpr u8 kOk = 0;
inline constexpr u8 kError = 1;
/// What the answer's byte holds until the device writes it.
inline constexpr u8 kNoAnswer = 0xEE;

/// What start() is to ask for.
struct Wish {
  u64 features = ~u64{0};  // of those that the device offers and the driver knows
  u16 pairs = 1;           // that are set up; more than one take kHasMultiQueue
  u16 queue_size = 256;    // or the device's maximum, if that is less
  u32 buffer_size = 0;     // of a receive buffer; 0: 2048 where they merge, else a whole frame
  u16 buffers = 0xFFFF;    // receive buffers of each queue, or as many as have room
  bool uses_pairs = true;  // tell the device to use all of them
};

/// A frame that came, in one piece.
struct Packet {
  Header header;
  u8* data;  // valid until the next receive()
  u32 size;
  u16 buffers;  // that held it
};

/// One network device and its queues.
class Interface {
 public:
  static constexpr u16 kMaxPairs = 8;
  static constexpr u16 kMaxQueues = 2 * kMaxPairs + 1;
  static constexpr u32 kMaxPacket = kHeaderSize + frame::kMaxSize;
  /// What this driver can use.
  static constexpr u64 kKnownFeatures =
      virtio::kIndirectDescriptors | virtio::kEventIndex | virtio::kVersion1 | virtio::kRingReset |
      kHasChecksum | kTakesPartialChecksum | kHasGuestOffloads | kHasMtu | kHasMac | kTakesLarge |
      kHasTso4 | kHasTso6 | kHasUso | kMergesBuffers | kHasStatus | kHasControl | kHasAnnounce |
      kHasMultiQueue;

  /// Finds the device that the word `net=N` selects (default 0) and prints a FAIL line when it is
  /// not there.
  bool find(const BootInfo& info);
  /// Resets the device and brings it up to DRIVER_OK with receive buffers in place; false when it
  /// refuses or memory is short.
  bool start(const Wish& wish = {});
  /// From reset to FEATURES_OK only.
  bool negotiate(u64 features);
  /// Makes a queue's rings anew and ready, as after a reset of it. Without buffers.
  bool start_queue(u16 index, u16 size);
  /// Puts all buffers of a pair's receive queue into it; to be kicked by the caller.
  bool fill(u16 pair);

  const virtio::Transport& transport() const { return transport_; }
  u32 irq() const { return transport_.irq(); }
  u16 pairs() const { return pairs_; }
  static constexpr u16 receive_index(u16 pair) { return static_cast<u16>(2 * pair); }
  static constexpr u16 transmit_index(u16 pair) { return static_cast<u16>(2 * pair + 1); }
  /// The control queue is behind all pairs that the device has, where MQ was agreed on, else behind
  /// the first [5.1.2].
  u16 control_index() const;
  virtio::Virtqueue& queue(u16 index) { return queues_[index]; }
  virtio::Virtqueue& receive_queue(u16 pair = 0) { return queues_[receive_index(pair)]; }
  virtio::Virtqueue& transmit_queue(u16 pair = 0) { return queues_[transmit_index(pair)]; }

  /// Features that start() or negotiate() settled on.
  u64 features() const { return features_; }
  bool has(u64 feature_bits) const { return (features_ & feature_bits) == feature_bits; }
  template <class T>
  T config(Config field) const {
    return transport_.config<T>(static_cast<u32>(field));
  }
  Mac mac() const;

  /// Shows a queue what was added to it and kicks if need be.
  void publish(u16 index);

  /// Copies a frame and gives it to a pair's transmit queue; waits for room at most two seconds.
  bool send(const Header& header, const void* data, u32 size, u16 pair = 0);
  bool send(const void* data, u32 size, u16 pair = 0) { return send(Header{}, data, size, pair); }
  /// Waits until all that was sent is used, at most two seconds.
  bool drain(u16 pair = 0);
  /// Takes the next frame of a pair's receive queue and gives its buffers back; false when there is
  /// none, or none that is well-formed: those count in malformed().
  bool receive(Packet& packet, u16 pair = 0);
  /// The same, waiting for one.
  bool await(Packet& packet, u64 microseconds, u16 pair = 0);

  /// A command; the device's answer, or kNoAnswer.
  u8 control(u8 command_class, u8 command, const void* data, u32 size);
  u8 use_pairs(u16 count) { return control(kClassMultiQueue, kSetPairs, &count, sizeof(count)); }

  u64 kicks() const { return kicks_; }
  /// Used entries that no device may make: a length below the header's or above the buffer's, a
  /// head that is not in use, num_buffers that is wrong or not published at once.
  u64 malformed() const { return malformed_; }
  /// The reason for the last of them, for people.
  const char* malformed_reason() const { return malformed_reason_; }
  u32 buffer_size() const { return buffer_size_; }

 private:
  struct Pair {
    u8* receive;   // receive buffers, one behind the other
    u8* transmit;  // the same for transmission
    u16* free;     // a stack of transmit slots
    u16 free_count;
    u16 receive_slots;
    u16 transmit_slots;
  };

  bool allocate(u16 pair);
  void reap(u16 pair);
  bool refuse(const char* reason);
  bool take_part(u16 pair, Packet& packet, u32& at);

  virtio::Transport transport_;
  virtio::Virtqueue queues_[kMaxQueues];
  bool has_memory_[kMaxQueues] = {};
  Pair memory_[kMaxPairs] = {};
  u8* assembly_ = nullptr;
  u16 pairs_ = 0;
  u64 features_ = 0;
  u32 buffer_size_ = 0;
  u16 buffers_wanted_ = 0;
  u64 kicks_ = 0;
  u64 malformed_ = 0;
  const char* malformed_reason_ = "";
};

}  // namespace kit::net
