// SPDX-License-Identifier: Apache-2.0
// The device's end of a split virtqueue [Virtio 1.2 2.7]: takes descriptor chains, gives them back
// used, and says when each side has to be notified.
#pragma once

#include <optional>

#include "core/guest_memory.hpp"
#include "core/types.hpp"
#include "devices/virtio/chain.hpp"

namespace mote::virtio {

inline constexpr u16 kMaxQueueSize = 1024;

/// Where a queue lies and how large it is: what the driver told the transport.
struct QueueLayout {
  u16 size = 0;     ///< descriptors; a power of two up to kMaxQueueSize
  Gpa descriptors;  ///< descriptor table, 16 byte aligned
  Gpa available;    ///< available ring ("driver area"), 2 byte aligned
  Gpa used;         ///< used ring ("device area"), 4 byte aligned
  bool operator==(const QueueLayout&) const = default;
};

/// How far the device has come: the free-running indices of both rings.
struct QueuePosition {
  u16 next_available = 0;
  u16 next_used = 0;
  bool operator==(const QueuePosition&) const = default;
};

/// One queue. Copyable: it is views of guest RAM and two indices. One thread at a time.
///
/// Nothing that the driver writes is trusted: an index or a chain that breaks the rules makes `pop`
/// answer kBroken, from then on for ever.
class Queue {
 public:
  enum class Pop {
    kEmpty,   ///< the driver has made nothing available
    kChain,   ///< `chain` is the next one
    kBroken,  ///< the driver broke the rules; the device needs a reset
  };

  /// Nothing when the layout is no legal one or does not lie in RAM. `features` are the negotiated
  /// ones.
  static std::optional<Queue> map(const GuestMemory& memory, const QueueLayout& layout,
                                  u64 features, QueuePosition position = {});

  u16 size() const { return size_; }
  QueuePosition position() const { return {next_available_, next_used_}; }
  /// True when `pop` has something to take: one look at guest RAM. False for a broken queue.
  bool has_available() const;

  /// Takes the next available chain. `memory` is the one that the queue was mapped in. Each chain
  /// is given back, by `push` or `unpop`: their number is what tells a driver that lies.
  Pop pop(const GuestMemory& memory, Chain& chain);
  /// Takes back the last `count` of `pop`, none of which was given back: the next ones answer the
  /// same chains again.
  void unpop(u16 count = 1);

  /// Writes the used element of the chain that began at descriptor `head`; `written` bytes of its
  /// writable part were filled. The driver sees it after `publish`.
  void push(u16 head, u32 written);
  /// Shows the driver what was pushed; true when it wants an interrupt for that.
  [[nodiscard]] bool publish();

  /// Asks the driver not to notify: the device looks by itself.
  void suppress_kicks();
  /// Asks the driver to notify again; true when chains are available already, for which no
  /// notification may come.
  [[nodiscard]] bool request_kicks();

 private:
  Queue() = default;

  GuestSlice descriptors_;
  GuestSlice available_;
  GuestSlice used_;
  u16 size_ = 0;
  u16 next_available_ = 0;
  u16 next_used_ = 0;
  u16 published_ = 0;  // used.idx as the driver sees it
  bool event_idx_ = false;
  bool indirect_ = false;
  bool broken_ = false;
};

}  // namespace mote::virtio
