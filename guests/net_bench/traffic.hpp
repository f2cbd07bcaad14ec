// SPDX-License-Identifier: Apache-2.0
// net_bench's queues: frames out, frames in, frames back.
#pragma once

#include "guests/kit/net.hpp"
#include "guests/net_bench/settings.hpp"

namespace kit::net_bench {

/// Where a frame has its number.
inline constexpr u32 kNumberAt = frame::kEthernetSize;

/// What was seen since it was cleared last.
struct Counts {
  u64 frames = 0;
  u64 bytes = 0;
  u64 buffers = 0;
  u64 kicks = 0;
  u64 errors = 0;
  u64 lost = 0;
  u64 first_number = ~u64{0};
  u64 last_number = 0;
};
extern Counts counts;

/// What a queue has of memory that the device shares: a slot's number is its head.
struct Slots {
  u8* memory;
  u16 pending;        // offered and not published
  u16 parts_to_come;  // buffers of a merged frame
  u16 head;           // of that frame, and its last buffer so far (echo)
  u16 last;
};
extern Slots received[net::Interface::kMaxPairs];
extern Slots sent[net::Interface::kMaxPairs];
extern net::Interface nic;

/// Memory for all that `settings` wants; false when there is too little.
bool allocate();
u8* slot_memory(const Slots& slots, u16 slot);
/// Shows the device what was offered, and kicks if need be.
void publish(u16 index, Slots& slots);
/// Offers a descriptor chain; in batches, but never waiting while the device has nothing.
void offer(u16 index, Slots& slots, u16 head);

/// Gives the frame the next number, if it is one that has them; returns the number.
u64 number_frame(u8* frame);
/// Frames in the first `depth` slots of a pair's transmit queue, and their descriptors.
void prepare_transmit(u16 pair, u16 depth);
/// Offers all buffers of a pair's receive queue.
void prepare_receive(u16 pair);

/// Takes what is used and offers it again, by the mode: true when there was anything.
bool turn(u16 pair);
/// What is in flight gets a second at the most, so that a host end sees all that was counted.
void drain();
/// Waits for an interrupt, unless there is something to do already.
void sleep();

}  // namespace kit::net_bench
