// SPDX-License-Identifier: Apache-2.0
#include "guests/net_bench/traffic.hpp"

#include "guests/kit/arena.hpp"
#include "guests/kit/doze.hpp"
#include "guests/kit/time.hpp"

namespace kit::net_bench {

Counts counts;
Slots received[net::Interface::kMaxPairs];
Slots sent[net::Interface::kMaxPairs];
net::Interface nic;

namespace {

constexpr u64 kPage = 4096;
constexpr u32 kFrom = 198U << 24 | 18U << 16 | 2;  // addresses for benchmarks [RFC 2544]
constexpr u32 kTo = 198U << 24 | 18U << 16 | 1;

u32 stride;
u64 next_number = 0;

void compose(u8* memory) {
  u8* data = memory + net::kHeaderSize;
  __builtin_memset(memory, 0, net::kHeaderSize);
  for (u32 i = 0; i < settings.size; i++) data[i] = static_cast<u8>(i);
  frame::write_ethernet(data, settings.to, nic.mac(), frame::kExperimental);
  if (settings.segment == 0) return;
  frame::write_ethernet(data, settings.to, nic.mac(), frame::kIpv4);
  const u32 payload = settings.size - kTcpHeaders;
  u8* ip = data + frame::kEthernetSize;
  frame::write_ipv4(ip, kFrom, kTo, frame::kTcp, frame::kTcpSize + payload);
  frame::write_tcp(ip, 5001, 5002, 1, payload);
  const net::Header header{net::kNeedsChecksum,
                           net::kGsoTcp4,
                           kTcpHeaders,
                           settings.segment,
                           frame::kEthernetSize + frame::kIpv4Size,
                           frame::kTcpChecksum,
                           0};
  __builtin_memcpy(memory, &header, sizeof(header));
}

bool turn_transmit(u16 pair) {
  Slots& slots = sent[pair];
  virtio::Virtqueue& queue = nic.transmit_queue(pair);
  virtio::Used used{};
  bool was_busy = false;
  while (queue.pop_raw(used)) {
    was_busy = true;
    if (used.head >= settings.depth) {
      counts.errors++;
      continue;
    }
    counts.frames++;
    counts.bytes += settings.size;
    const auto head = static_cast<u16>(used.head);
    number_frame(slot_memory(slots, head) + net::kHeaderSize);
    offer(net::Interface::transmit_index(pair), slots, head);
  }
  return was_busy;
}

void look_at_number(const u8* frame) {
  if (frame::type(frame) != frame::kExperimental) return;
  u64 number;
  __builtin_memcpy(&number, frame + kNumberAt, sizeof(number));
  if (number < counts.first_number) counts.first_number = number;
  if (number > counts.last_number) counts.last_number = number;
}

/// Counts a used buffer; true when it is the first of a frame.
bool take_buffer(Slots& slots, const virtio::Used& used) {
  counts.buffers++;
  counts.bytes += used.length;
  if (slots.parts_to_come > 0) {
    slots.parts_to_come--;
    return false;
  }
  const u8* memory = slot_memory(slots, static_cast<u16>(used.head));
  const auto* header = reinterpret_cast<const net::Header*>(memory);
  // Not every device fills it in where buffers do not merge.
  const u16 buffers = nic.has(net::kMergesBuffers) ? header->buffers : u16{1};
  if (used.length < net::kHeaderSize || buffers == 0) {
    counts.errors++;
    return true;
  }
  counts.frames++;
  counts.bytes -= net::kHeaderSize;
  slots.parts_to_come = static_cast<u16>(buffers - 1);
  return true;
}

bool turn_receive(u16 pair) {
  Slots& slots = received[pair];
  virtio::Virtqueue& queue = nic.receive_queue(pair);
  virtio::Used used{};
  bool was_busy = false;
  while (queue.pop_raw(used)) {
    was_busy = true;
    if (used.head >= settings.depth) {
      counts.errors++;
      continue;
    }
    const auto head = static_cast<u16>(used.head);
    if (take_buffer(slots, used) && used.length >= net::kHeaderSize + frame::kMinSize) {
      look_at_number(slot_memory(slots, head) + net::kHeaderSize);
    }
    offer(net::Interface::receive_index(pair), slots, head);
    if (counts.frames == settings.frames_wanted) break;
  }
  return was_busy;
}

// Echo: a frame's buffers are sent as they are, and offered for reception again when they are used.

void return_frame(u16 pair, u16 head) {
  u8* memory = slot_memory(received[pair], head);
  auto* header = reinterpret_cast<net::Header*>(memory);
  header->flags &= net::kNeedsChecksum;
  header->buffers = 0;
  frame::swap_macs(memory + net::kHeaderSize);
  offer(net::Interface::transmit_index(pair), sent[pair], head);
}

bool turn_echo(u16 pair) {
  Slots& slots = received[pair];
  virtio::Virtqueue& from = nic.receive_queue(pair);
  virtio::Virtqueue& to = nic.transmit_queue(pair);
  virtio::Used used{};
  bool was_busy = false;
  while (to.pop_raw(used)) {
    was_busy = true;
    for (auto slot = static_cast<u16>(used.head);; slot = to.descriptor(slot).next) {
      offer(net::Interface::receive_index(pair), slots, slot);
      if ((to.descriptor(slot).flags & virtio::kNext) == 0) break;
    }
  }
  while (from.pop_raw(used)) {
    was_busy = true;
    const auto slot = static_cast<u16>(used.head);
    if (take_buffer(slots, used)) {
      slots.head = slot;
    } else {
      to.descriptor(slots.last).flags = virtio::kNext;
      to.descriptor(slots.last).next = slot;
    }
    to.descriptor(slot) = {reinterpret_cast<u64>(slot_memory(slots, slot)), used.length, 0, 0};
    slots.last = slot;
    if (slots.parts_to_come == 0) return_frame(pair, slots.head);
  }
  if (sent[pair].pending > 0) publish(net::Interface::transmit_index(pair), sent[pair]);
  return was_busy;
}

bool asks_for_interrupts(u16 pair) {
  virtio::Virtqueue& from = nic.receive_queue(pair);
  virtio::Virtqueue& to = nic.transmit_queue(pair);
  bool is_idle = true;
  if (settings.mode != Mode::kTransmit) is_idle = from.request_interrupt();
  const bool waits_for_room =
      settings.mode == Mode::kTransmit || (settings.mode == Mode::kEcho && from.in_flight() == 0);
  if (waits_for_room && to.in_flight() > 0) {
    const u16 count = to.in_flight() < settings.batch ? to.in_flight() : settings.batch;
    is_idle &= to.request_interrupt(count);
  }
  return is_idle;
}

}  // namespace

bool allocate() {
  const u32 whole = net::kHeaderSize + settings.size;
  stride = whole > settings.buffer ? whole : settings.buffer;
  stride = stride <= kPage / 2 ? kPage / 2 : static_cast<u32>((stride + kPage - 1) & ~(kPage - 1));
  const bool sends = settings.mode == Mode::kTransmit || settings.mode == Mode::kRoundTrip;
  for (u16 pair = 0; pair < settings.pairs; pair++) {
    u64 size = u64{settings.depth} * stride;
    if (settings.mode != Mode::kTransmit) {
      received[pair].memory = static_cast<u8*>(take_memory(size, kPage));
      if (received[pair].memory == nullptr) return false;
    }
    if (!sends) continue;
    if (settings.mode == Mode::kRoundTrip) size = stride;
    sent[pair].memory = static_cast<u8*>(take_memory(size, kPage));
    if (sent[pair].memory == nullptr) return false;
  }
  return true;
}

u8* slot_memory(const Slots& slots, u16 slot) {
  return slots.memory + u64{slot} * stride;
}

void publish(u16 index, Slots& slots) {
  slots.pending = 0;
  virtio::Virtqueue& queue = nic.queue(index);
  queue.publish();
  if (!queue.needs_kick()) return;
  counts.kicks++;
  nic.transport().notify(index);
}

void offer(u16 index, Slots& slots, u16 head) {
  nic.queue(index).offer_raw(head);
  slots.pending++;
  const bool is_idle = nic.queue(index).in_flight() == slots.pending;
  if (slots.pending >= settings.batch || is_idle) publish(index, slots);
}

u64 number_frame(u8* frame) {
  const u64 number = next_number++;
  if (settings.segment == 0) __builtin_memcpy(frame + kNumberAt, &number, sizeof(number));
  return number;
}

void prepare_transmit(u16 pair, u16 depth) {
  Slots& slots = sent[pair];
  virtio::Virtqueue& queue = nic.transmit_queue(pair);
  const u32 whole = net::kHeaderSize + settings.size;
  const u32 piece = (whole + settings.pieces - 1) / settings.pieces;
  for (u16 i = 0; i < depth; i++) {
    u8* memory = slot_memory(slots, i);
    compose(memory);
    // The head is the slot's number; the others are behind all heads.
    auto at = static_cast<u16>(depth + i * (settings.pieces - 1));
    virtio::Descriptor* descriptor = &queue.descriptor(i);
    for (u32 done = 0; done < whole; done += piece) {
      const u32 length = whole - done < piece ? whole - done : piece;
      const bool is_last = done + length == whole;
      *descriptor = {reinterpret_cast<u64>(memory + done), length, is_last ? u16{0} : virtio::kNext,
                     is_last ? u16{0} : at};
      descriptor = &queue.descriptor(at++);
    }
  }
}

void prepare_receive(u16 pair) {
  Slots& slots = received[pair];
  for (u16 i = 0; i < settings.depth; i++) {
    nic.receive_queue(pair).descriptor(i) = {reinterpret_cast<u64>(slot_memory(slots, i)),
                                             settings.buffer, virtio::kDeviceWrites, 0};
  }
  for (u16 i = 0; i < settings.depth; i++) nic.receive_queue(pair).offer_raw(i);
  publish(net::Interface::receive_index(pair), slots);
}

bool turn(u16 pair) {
  switch (settings.mode) {
    case Mode::kTransmit:
      return turn_transmit(pair);
    case Mode::kReceive:
      return turn_receive(pair);
    case Mode::kEcho:
      return turn_echo(pair);
    case Mode::kRoundTrip:
      break;
  }
  return false;
}

void drain() {
  for (u16 pair = 0; pair < settings.pairs; pair++) {
    virtio::Virtqueue& queue = nic.transmit_queue(pair);
    if (sent[pair].pending > 0) publish(net::Interface::transmit_index(pair), sent[pair]);
    virtio::Used used{};
    wait_until(
        [&queue, &used] {
          while (queue.pop_raw(used)) {
          }
          return queue.in_flight() == 0;
        },
        1'000'000);
  }
}

void sleep() {
  bool is_idle = true;
  for (u16 pair = 0; pair < settings.pairs; pair++) is_idle &= asks_for_interrupts(pair);
  if (is_idle) doze::sleep();
  if (nic.has(virtio::kEventIndex)) return;
  for (u16 pair = 0; pair < settings.pairs; pair++) {
    nic.receive_queue(pair).suppress_interrupts();
    nic.transmit_queue(pair).suppress_interrupts();
  }
}

}  // namespace kit::net_bench
