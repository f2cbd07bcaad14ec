// SPDX-License-Identifier: Apache-2.0
// net_frames: frames of every size, in every layout of descriptors, in buffers that merge and that
// do not; large ones to be cut, checksums left to do. All go to a host end that returns them (the
// tests' reflector, at 02:00:00:00:00:fe). `net=N`.
#include "guests/kit/arena.hpp"
#include "guests/kit/reflect.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

using net::kHeaderSize;
using virtio::Segment;

constexpr u32 kMtuFrame = 1514;
constexpr u64 kShortUs = 50'000;

net::Interface nic;

bool starts(std::string_view name, const net::Wish& wish) {
  return expect(name, nic.start(wish), "status ", hex(nic.transport().status()), ", features ",
                hex(nic.features()));
}

// What the driver found malformed since the last time counts against this one.
void judge(std::string_view name, bool holds) {
  static u64 before = 0;
  const u64 malformed = nic.malformed() - before;
  before += malformed;
  expect(name, holds && malformed == 0, "see above; malformed ", malformed,
         ", at last: ", nic.malformed_reason());
}

// A plain frame's header says nothing but that it is in one buffer.
void check_sizes() {
  bool holds = true;
  net::Packet packet{};
  for (u32 size = frame::kMinSize; size <= kMtuFrame && holds; size += size < 70 ? 1 : 61) {
    holds = reflect::returns(nic, size, size);
  }
  holds = holds && reflect::returns(nic, kMtuFrame, 1);
  judge("frames.sizes", holds);

  reflect::compose(nic, reflect::scratch(), 100, 2);
  holds = nic.send(reflect::scratch(), 100) && reflect::await(nic, packet);
  const net::Header& header = packet.header;
  expect("frames.num_buffers_of_one", holds && header.buffers == 1, header.buffers);
  expect("frames.plain_header",
         holds && (header.flags & ~net::kDataValid) == 0 && header.gso_type == net::kNoGso,
         "flags ", hex(header.flags), ", GSO type ", header.gso_type);
}

void check_many(std::string_view name, u32 size, u64 seed) {
  constexpr u32 kRounds = 40;
  constexpr u32 kAtOnce = 16;
  bool holds = true;
  net::Packet packet{};
  for (u32 round = 0; round < kRounds && holds; round++) {
    for (u32 i = 0; i < kAtOnce; i++) {
      reflect::compose(nic, reflect::scratch(), size, seed + i);
      holds &= nic.send(reflect::scratch(), size);
    }
    for (u32 i = 0; i < kAtOnce && holds; i++) {
      holds = reflect::await(nic, packet) && reflect::is_returned(packet, size, seed + i);
    }
    seed += kAtOnce;
  }
  judge(name, holds);
}

// A frame of the MTU in buffers of this size.
bool merges(u32 buffer_size) {
  if (!nic.start({.buffer_size = buffer_size})) {
    print("cannot start with buffers of ", buffer_size, '\n');
    return false;
  }
  bool holds = true;
  net::Packet packet{};
  u64 seed = 0;
  // Around each border between buffers, and a frame that fills its last one.
  for (const u32 size : {60U, buffer_size - kHeaderSize, buffer_size - kHeaderSize + 1,
                         2 * buffer_size - kHeaderSize, 3 * buffer_size - kHeaderSize - 1, 1514U}) {
    if (size < frame::kMinSize || size > kMtuFrame) continue;
    reflect::compose(nic, reflect::scratch(), size, ++seed);
    holds = holds && nic.send(reflect::scratch(), size) && reflect::await(nic, packet) &&
            reflect::is_returned(packet, size, seed);
    const u32 wanted = (size + kHeaderSize + buffer_size - 1) / buffer_size;
    if (!holds || packet.header.buffers != wanted || packet.buffers != wanted) {
      print("buffers of ", buffer_size, ": a frame of ", size, " is in ", packet.header.buffers,
            " of them instead of ", wanted, '\n');
      return false;
    }
  }
  return holds;
}

void check_merging() {
  bool holds = true;
  for (const u32 size : {64U, 72U, 128U, 256U, 526U, 1000U, 1525U, 1526U, 1527U, 4096U}) {
    holds &= merges(size);
  }
  judge("frames.merged", holds);
}

// Receive chains of several descriptors [Virtio 1.2 2.7.4.1: any layout], in the first queue, which
// is started without buffers. `cuts` are the lengths of a chain's pieces.
bool comes_in_pieces(std::span<const u32> cuts, u32 size, u32 chains, bool is_indirect) {
  static virtio::Descriptor table[64];
  u8* memory = reflect::scratch() + 8192;
  u32 room = 0;
  for (const u32 cut : cuts) room += cut;
  __builtin_memset(memory, 0xA5, u64{room} * chains);
  virtio::Virtqueue& queue = nic.receive_queue();
  u16 head = 0;
  for (u32 chain = 0; chain < chains; chain++) {
    Segment pieces[16];
    u32 at = room * chain;
    for (u32 i = 0; i < cuts.size(); i++) {
      pieces[i] = virtio::writable(memory + at, cuts[i]);
      at += cuts[i];
    }
    const std::span<const Segment> all(pieces, cuts.size());
    const bool has_room = is_indirect ? queue.add_indirect(all, table + chain * cuts.size(), head)
                                      : queue.add(all, head);
    if (!has_room) return false;
  }
  nic.publish(0);
  reflect::compose(nic, reflect::scratch(), size, size);
  if (!nic.send(reflect::scratch(), size)) return false;
  const u32 wanted = (size + kHeaderSize + room - 1) / room;
  u32 got = 0;
  virtio::Used used{};
  for (u32 i = 0; i < wanted; i++) {
    if (!wait_until([&] { return queue.pop(used); }, reflect::kPatienceUs)) {
      print("chain ", i, " of ", wanted, " is not used\n");
      return false;
    }
    got += used.length;
  }
  net::Packet packet{};
  __builtin_memcpy(&packet.header, memory, kHeaderSize);
  packet.data = memory + kHeaderSize;
  packet.size = got - kHeaderSize;
  packet.buffers = packet.header.buffers;
  if (packet.buffers != wanted) {
    print("num_buffers ", packet.buffers, " instead of ", wanted, '\n');
    return false;
  }
  return reflect::is_returned(packet, size, size);
}

void check_receive_layouts(std::string_view name, u64 features, bool is_indirect) {
  const u32 whole[] = {kHeaderSize, 1514};
  const u32 odd[] = {5, 7, 1, 13, 400, 1100};
  const u32 split_header[] = {4, 4, 4, 700, 814};
  bool holds = true;
  for (const std::span<const u32> cuts : {std::span<const u32>(whole), std::span<const u32>(odd),
                                          std::span<const u32>(split_header)}) {
    for (const u32 size : {60U, 433U, 1514U}) {
      holds = holds && nic.start({.features = features, .buffers = 0}) &&
              comes_in_pieces(cuts, size, 1, is_indirect);
    }
  }
  judge(name, holds);
}

void check_merged_chains() {
  const u32 cuts[] = {12, 100, 33, 300};
  const bool holds = nic.start({.buffers = 0}) && comes_in_pieces(cuts, 1514, 4, false);
  judge("frames.merged_chains", holds);
}

// What does not fit its chain is dropped where buffers do not merge; what comes next is not.
void check_too_small() {
  bool holds = starts("frames.start_small",
                      {.features = ~net::kMergesBuffers & ~net::kTakesLarge, .buffer_size = 300});
  net::Packet packet{};
  reflect::compose(nic, reflect::scratch(), 1000, 1);
  holds = holds && nic.send(reflect::scratch(), 1000);
  const bool came = reflect::await(nic, packet, 0, kShortUs);
  holds = holds && reflect::returns(nic, 200, 2) && reflect::returns(nic, 288, 3);
  if (came) print("a cut frame came\n");
  judge("frames.too_small", holds && !came);
}

bool sends_in_pieces(std::span<const u32> cuts, u32 size, bool is_indirect) {
  static virtio::Descriptor table[16];
  u8* memory = reflect::scratch() + 8192;
  __builtin_memset(memory, 0, kHeaderSize);
  reflect::compose(nic, memory + kHeaderSize, size, size);
  Segment pieces[16];
  u32 count = 0;
  u32 at = 0;
  const u32 whole = kHeaderSize + size;
  for (; at < whole; count++) {
    const u32 length = count < cuts.size() && cuts[count] < whole - at ? cuts[count] : whole - at;
    pieces[count] = virtio::readable(memory + at, length);
    at += length;
  }
  virtio::Virtqueue& queue = nic.transmit_queue();
  const std::span<const Segment> all(pieces, count);
  u16 head = 0;
  if (!(is_indirect ? queue.add_indirect(all, table, head) : queue.add(all, head))) return false;
  nic.publish(net::Interface::transmit_index(0));
  virtio::Used used{};
  net::Packet packet{};
  return reflect::await(nic, packet) && reflect::is_returned(packet, size, size) &&
         wait_until([&] { return queue.pop(used); }, reflect::kPatienceUs);
}

void check_transmit_layouts(std::string_view name, bool is_indirect) {
  const u32 one[] = {~0U};
  const u32 two[] = {12};
  const u32 bytes[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const u32 odd[] = {11, 2, 13, 100, 1, 1, 700};
  bool holds = true;
  for (const std::span<const u32> cuts : {std::span<const u32>(one), std::span<const u32>(two),
                                          std::span<const u32>(bytes), std::span<const u32>(odd)}) {
    for (const u32 size : {60U, 777U, 1514U}) {
      holds = holds && nic.start({}) && sends_in_pieces(cuts, size, is_indirect);
    }
  }
  judge(name, holds);
}

u64 test(u64) {
  if (!starts("frames.start", {})) return 0;
  reflect::scratch();
  check_sizes();
  check_many("frames.many", 64, 1000);
  check_many("frames.many_of_mtu", kMtuFrame, 5000);
  if (nic.has(net::kMergesBuffers)) {
    check_merging();
    check_receive_layouts("frames.receive_layouts", ~u64{0}, false);
    check_receive_layouts("frames.receive_layouts_indirect", ~u64{0}, true);
    check_merged_chains();
  } else {
    skip("frames.merged", "not offered");
  }
  check_receive_layouts("frames.receive_layouts_unmerged", ~net::kMergesBuffers & ~net::kTakesLarge,
                        false);
  check_too_small();
  if (starts("frames.start_unmerged", {.features = ~net::kMergesBuffers})) {
    check_many("frames.many_unmerged", kMtuFrame, 9000);
  }
  check_transmit_layouts("frames.transmit_layouts", false);
  check_transmit_layouts("frames.transmit_layouts_indirect", true);
  if (starts("frames.start_plain", {.features = 0})) {
    check_many("frames.plain_features", 1000, 13000);
  }
  for (const u16 size : {u16{2}, u16{4}, u16{16}}) {
    if (starts("frames.start_small_queue", {.queue_size = size, .buffer_size = 2048})) {
      bool holds = true;
      for (u32 i = 0; i < 100; i++) holds = holds && reflect::returns(nic, 60 + i * 14, i);
      judge("frames.small_queue", holds);
    }
  }
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  tsc_khz();
  if (!nic.find(info)) return;
  run_in_ring3(test, 0);
  nic.transport().reset();
  done();
}

}  // namespace kit
