// SPDX-License-Identifier: Apache-2.0
// net_bench: an interface under load, driven from ring 3. `net=N` selects it.
//
// `mode=tx`    sends frames of `size` bytes as fast as they are taken.
// `mode=rx`    prints `ready`, then counts what comes; the clock starts at the first frame, which
//              has to come within `patience=20` seconds. `frames=N` ends it early, when so many
//              came.
// `mode=rtt`   sends a frame and waits until it comes back, one at a time; a host end swaps the
//              addresses and returns it. After 100 ms it counts as lost and the next one is sent.
// `mode=echo`  prints `ready` and returns each frame with its addresses swapped, virtio's header as
//              it came, for `seconds` or until `frames=N`: for a host end that measures.
//
// A frame (tx, rtt) goes to `to=02:00:00:00:00:fe`, has Ethertype 88B5h (local experiments: a host
// drops it at once) and a running number of 8 bytes, little endian, at offset 14. In rx such
// numbers tell what is lost. With `gso=BYTES` tx sends TCP segments over IPv4 instead, to be cut to
// BYTES of payload by the device or behind it; their checksum is left to do.
//
// `size=64` bytes of a frame with its Ethernet header, without virtio's: 60 to 65549.
// `depth=256` frames (tx) or buffers (rx, echo) in each queue, `batch=32` of them published at
// once. `pieces=1` descriptors of a frame in tx. `queues=1` pairs in use. `seconds=2`, behind 300
// ms that do not count (tx, rx, rtt). `wait=poll|irq`. `mergeable=1|0`, `event_index=1|0`;
// `offloads=0|1`: lets the device pass on large frames and such without checksum (rx, echo).
// `buffer=BYTES` of each receive buffer (default: 2048, or a whole frame where they do not merge).
//
// Prints `measuring`, then `measured` and lines `result name value unit`:
// tx, rx, echo: frame_rate 1/s, byte_rate B/s (of frames), frames count, bytes B, kicks count,
//   interrupts count, elapsed us; rx also buffers count, lost count.
// rtt: rtt_mean us, rtt_min us, rtt_p50 us, rtt_p99 us, frames count, lost count, kicks count,
//   interrupts count, elapsed us.
#include "guests/kit/arena.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/doze.hpp"
#include "guests/kit/net.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/sleeper.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

constexpr u64 kPage = 4096;
constexpr u64 kWarmUpMs = 300;
constexpr u64 kLostMs = 100;
constexpr u32 kNumberAt = frame::kEthernetSize;
constexpr u32 kMergedBuffer = 2048;
constexpr u32 kTcpHeaders = frame::kEthernetSize + frame::kIpv4Size + frame::kTcpSize;
constexpr u32 kFrom = 198U << 24 | 18U << 16 | 2;  // addresses for benchmarks [RFC 2544]
constexpr u32 kTo = 198U << 24 | 18U << 16 | 1;

enum class Mode { kTransmit, kReceive, kRoundTrip, kEcho };

struct Settings {
  Mode mode;
  bool sleeps;
  u32 size;
  u16 segment;  // of GSO, 0 for none
  u16 depth;
  u16 batch;
  u16 pieces;
  u16 pairs;
  u32 buffer;
  u64 ticks;
  u64 frames_wanted;
  u64 patience_us;
  frame::Mac to;
};
Settings settings;

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
Counts counts;

/// What a queue has of memory that the device shares: a slot's number is its head.
struct Slots {
  u8* memory;
  u16 pending;        // offered and not published
  u16 parts_to_come;  // buffers of a merged frame
  u16 head;           // of that frame, and its last buffer so far (echo)
  u16 last;
};
Slots received[net::Interface::kMaxPairs];
Slots sent[net::Interface::kMaxPairs];
u32 stride;
net::Interface nic;
u64 next_number = 0;

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
  // In batches, but never waiting while the device has nothing.
  const bool is_idle = nic.queue(index).in_flight() == slots.pending;
  if (slots.pending >= settings.batch || is_idle) publish(index, slots);
}

// Transmission.

void number_frame(u8* frame) {
  const u64 number = next_number++;
  if (settings.segment == 0) __builtin_memcpy(frame + kNumberAt, &number, sizeof(number));
}

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

void prepare_transmit(u16 pair) {
  Slots& slots = sent[pair];
  virtio::Virtqueue& queue = nic.transmit_queue(pair);
  const u32 whole = net::kHeaderSize + settings.size;
  const u32 piece = (whole + settings.pieces - 1) / settings.pieces;
  for (u16 i = 0; i < settings.depth; i++) {
    u8* memory = slot_memory(slots, i);
    compose(memory);
    // The head is the slot's number; the others are behind all heads.
    auto at = static_cast<u16>(settings.depth + i * (settings.pieces - 1));
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

bool turn_transmit(u16 pair, bool refills) {
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
    if (!refills) continue;
    const auto head = static_cast<u16>(used.head);
    number_frame(slot_memory(slots, head) + net::kHeaderSize);
    offer(net::Interface::transmit_index(pair), slots, head);
  }
  return was_busy;
}

// Reception.

void prepare_receive(u16 pair) {
  Slots& slots = received[pair];
  for (u16 i = 0; i < settings.depth; i++) {
    nic.receive_queue(pair).descriptor(i) = {reinterpret_cast<u64>(slot_memory(slots, i)),
                                             settings.buffer, virtio::kDeviceWrites, 0};
  }
  for (u16 i = 0; i < settings.depth; i++) nic.receive_queue(pair).offer_raw(i);
  publish(net::Interface::receive_index(pair), slots);
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

// Waiting.

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

/// Ticks that passed, somewhat more than `ticks`; less when all frames that were wanted came.
u64 run_for(u64 ticks) {
  const u64 begin = rdtsc();
  u64 now = begin;
  while (now - begin < ticks && counts.frames != settings.frames_wanted) {
    bool was_busy = false;
    for (u16 pair = 0; pair < settings.pairs; pair++) {
      if (settings.mode == Mode::kTransmit) was_busy |= turn_transmit(pair, true);
      if (settings.mode == Mode::kReceive) was_busy |= turn_receive(pair);
      if (settings.mode == Mode::kEcho) was_busy |= turn_echo(pair);
    }
    if (!was_busy && settings.sleeps) sleep();
    now = rdtsc();
  }
  return now - begin;
}

// Round trips.

constexpr u32 kBuckets = 40'000;
constexpr u64 kBucketNs = 100;  // the last bucket: 4 ms or more
u32 histogram[kBuckets];
u64 shortest_ns;
u64 total_ns;

/// True when the frame with this number is among what came.
bool has_come(u64 number) {
  Slots& slots = received[0];
  virtio::Used used{};
  bool is_here = false;
  while (!is_here && nic.receive_queue().pop_raw(used)) {
    const auto head = static_cast<u16>(used.head);
    const u8* data = slot_memory(slots, head) + net::kHeaderSize;
    u64 got;
    __builtin_memcpy(&got, data + kNumberAt, sizeof(got));
    is_here = used.length >= net::kHeaderSize + frame::kMinSize &&
              frame::type(data) == frame::kExperimental && got == number;
    offer(net::Interface::receive_index(0), slots, head);
  }
  return is_here;
}

bool round_trip() {
  virtio::Used used{};
  const u64 begin = rdtsc();
  const u64 limit = begin + kLostMs * tsc_khz();
  const u64 number = next_number;
  number_frame(slot_memory(sent[0], 0) + net::kHeaderSize);
  offer(net::Interface::transmit_index(0), sent[0], 0);
  u64 now = begin;
  while (!has_come(number)) {
    if (settings.sleeps) sleep();
    now = rdtsc();
    if (now < limit) continue;
    counts.lost++;
    // The slot is needed again, whatever became of the frame.
    wait_until([&] { return nic.transmit_queue().pop_raw(used); }, kLostMs * 1000);
    return false;
  }
  const u64 ns = tsc_to_ns(rdtsc() - begin);
  if (!wait_until([&] { return nic.transmit_queue().pop_raw(used); }, kLostMs * 1000)) {
    counts.errors++;
  }
  counts.frames++;
  counts.bytes += settings.size;
  total_ns += ns;
  if (ns < shortest_ns) shortest_ns = ns;
  histogram[ns / kBucketNs < kBuckets ? ns / kBucketNs : kBuckets - 1]++;
  return true;
}

u64 run_round_trips(u64 ticks) {
  for (u32& bucket : histogram) bucket = 0;
  shortest_ns = ~u64{0};
  total_ns = 0;
  const u64 begin = rdtsc();
  while (rdtsc() - begin < ticks && counts.lost < 20) round_trip();
  return rdtsc() - begin;
}

void print_us(std::string_view name, u64 ns) {
  const u64 hundredths = ns / 10 % 100;
  print("result ", name, ' ', ns / 1000, hundredths < 10 ? ".0" : ".", hundredths, " us\n");
}

u64 percentile_ns(u64 percent) {
  const u64 wanted = counts.frames * percent / 100;
  u64 seen = 0;
  for (u32 i = 0; i < kBuckets; i++) {
    seen += histogram[i];
    if (seen > wanted) return i * kBucketNs + kBucketNs / 2;
  }
  return 0;
}

void report_round_trips() {
  print_us("rtt_mean", counts.frames == 0 ? 0 : total_ns / counts.frames);
  print_us("rtt_min", counts.frames == 0 ? 0 : shortest_ns);
  print_us("rtt_p50", percentile_ns(50));
  print_us("rtt_p99", percentile_ns(99));
}

void report_rates(u64 us) {
  print("result frame_rate ", multiply_divide(counts.frames, 1'000'000, us), " 1/s\n");
  print("result byte_rate ", multiply_divide(counts.bytes, 1'000'000, us), " B/s\n");
}

void report(u64 ticks, u64 interrupts, u64 timer_interrupts) {
  const u64 us = tsc_to_ns(ticks) / 1000;
  if (settings.mode == Mode::kRoundTrip) {
    report_round_trips();
  } else {
    report_rates(us == 0 ? 1 : us);
  }
  print("result frames ", counts.frames, " count\n");
  print("result bytes ", counts.bytes, " B\n");
  if (settings.mode == Mode::kReceive) {
    print("result buffers ", counts.buffers, " count\n");
    const u64 numbers = counts.last_number - counts.first_number + 1;
    const bool are_numbered = counts.first_number != ~u64{0};
    counts.lost = are_numbered && numbers > counts.frames ? numbers - counts.frames : 0;
  }
  if (settings.mode == Mode::kReceive || settings.mode == Mode::kRoundTrip) {
    print("result lost ", counts.lost, " count\n");
  }
  print("result kicks ", counts.kicks, " count\n");
  print("result interrupts ", interrupts, " count\n");
  if (timer_interrupts > 0) print("result timer_interrupts ", timer_interrupts, " count\n");
  print("result elapsed ", us, " us\n");
  expect("net_bench.errors", counts.errors == 0, counts.errors, " used entries are wrong");
  expect("net_bench.frames", counts.frames > 0, "none");
}

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

void prepare_round_trips() {
  const u16 depth = settings.depth;
  settings.depth = 1;
  prepare_transmit(0);
  settings.depth = depth;
  prepare_receive(0);
}

void prepare() {
  for (u16 pair = 0; pair < settings.pairs; pair++) {
    nic.receive_queue(pair).suppress_interrupts();
    nic.transmit_queue(pair).suppress_interrupts();
    if (settings.mode == Mode::kReceive || settings.mode == Mode::kEcho) prepare_receive(pair);
    if (settings.mode != Mode::kTransmit) continue;
    prepare_transmit(pair);
    for (u16 i = 0; i < settings.depth; i++) {
      number_frame(slot_memory(sent[pair], i) + net::kHeaderSize);
      offer(net::Interface::transmit_index(pair), sent[pair], i);
    }
    publish(net::Interface::transmit_index(pair), sent[pair]);
  }
  if (settings.mode == Mode::kRoundTrip) prepare_round_trips();
}

bool awaits_first_frame() {
  const auto has_come_one = [] {
    bool has_one = false;
    for (u16 pair = 0; pair < settings.pairs; pair++) {
      has_one |= nic.receive_queue(pair).has_used();
    }
    if (!has_one && settings.sleeps) sleep();
    return has_one;
  };
  return expect("net_bench.first_frame", wait_until(has_come_one, settings.patience_us),
                "nothing came");
}

u64 run(u64 ticks) {
  return settings.mode == Mode::kRoundTrip ? run_round_trips(ticks) : run_for(ticks);
}

// What is in flight gets a second at the most, so that a host end sees all that was counted.
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

u64 measure(u64) {
  if (!allocate()) return expect("net_bench.memory", false, "too little for the buffers");
  prepare();
  const bool is_driven = settings.mode == Mode::kReceive || settings.mode == Mode::kEcho;
  if (is_driven) print("ready\n");
  if (settings.mode == Mode::kReceive && !awaits_first_frame()) return 0;
  const bool warms_up = settings.mode != Mode::kEcho && settings.frames_wanted == ~u64{0};
  if (warms_up) run(kWarmUpMs * tsc_khz());
  print("measuring\n");
  counts = {};
  const u64 interrupts_before = doze::interrupts();
  const u64 timer_before = sleeper::timer_interrupts();
  const u64 ticks = run(settings.ticks);
  const u64 interrupts = doze::interrupts() - interrupts_before;
  const u64 timer_interrupts = sleeper::timer_interrupts() - timer_before;
  print("measured\n");
  report(ticks, interrupts, timer_interrupts);
  drain();
  return 0;
}

bool read_mode(std::string_view line) {
  const std::string_view mode = find_value(line, "mode");
  const std::string_view wait = find_value(line, "wait");
  settings.sleeps = wait == "irq";
  bool is_known = wait.empty() || wait == "irq" || wait == "poll";
  if (mode == "rx") {
    settings.mode = Mode::kReceive;
  } else if (mode == "rtt") {
    settings.mode = Mode::kRoundTrip;
  } else if (mode == "echo") {
    settings.mode = Mode::kEcho;
  } else {
    settings.mode = Mode::kTransmit;
    is_known &= mode.empty() || mode == "tx";
  }
  return expect("net_bench.words", is_known, "mode=", mode, " wait=", wait);
}

bool read_settings(std::string_view line) {
  if (!read_mode(line)) return false;
  settings.size = static_cast<u32>(find_number(line, "size", 64));
  settings.segment = static_cast<u16>(find_number(line, "gso", 0));
  settings.depth = static_cast<u16>(find_number(line, "depth", 256));
  settings.batch = static_cast<u16>(find_number(line, "batch", 32));
  settings.pieces = static_cast<u16>(find_number(line, "pieces", 1));
  settings.pairs = static_cast<u16>(find_number(line, "queues", 1));
  settings.buffer = static_cast<u32>(find_number(line, "buffer", 0));
  settings.ticks = find_number(line, "seconds", 2) * 1000 * tsc_khz();
  settings.frames_wanted = find_number(line, "frames", ~u64{0});
  settings.patience_us = find_number(line, "patience", 20) * 1'000'000;
  settings.to = frame::kReflector;
  const std::string_view to = find_value(line, "to");
  const bool knows_address = to.empty() || frame::parse_mac(to, settings.to);
  const bool is_sane = settings.size >= frame::kMinSize && settings.size <= frame::kMaxSize &&
                       settings.depth >= 1 && settings.depth <= virtio::Virtqueue::kMaxSize &&
                       settings.batch >= 1 && settings.pieces >= 1 && settings.pieces <= 64 &&
                       settings.pairs >= 1 && settings.pairs <= net::Interface::kMaxPairs &&
                       (settings.segment == 0 || settings.size > kTcpHeaders);
  return expect("net_bench.numbers", is_sane && knows_address, "a number is out of range");
}

bool start(std::string_view line) {
  net::Wish wish;
  wish.pairs = settings.pairs;
  wish.queue_size = virtio::Virtqueue::kMaxSize;
  wish.buffers = 0;
  if (find_number(line, "event_index", 1) == 0) wish.features &= ~virtio::kEventIndex;
  if (find_number(line, "mergeable", 1) == 0) wish.features &= ~net::kMergesBuffers;
  if (find_number(line, "offloads", 0) == 0) {
    wish.features &= ~(net::kTakesPartialChecksum | net::kTakesLarge);
  }
  if (!expect("net_bench.start", nic.start(wish), "status ", hex(nic.transport().status()))) {
    return false;
  }
  const bool merges = nic.has(net::kMergesBuffers);
  const u32 largest = nic.has(net::kTakesTso4) ? frame::kMaxSize : 1514;
  if (settings.buffer == 0) settings.buffer = merges ? kMergedBuffer : net::kHeaderSize + largest;
  const u16 size = nic.queue(0).size();
  if (settings.depth > size / settings.pieces) {
    settings.depth = static_cast<u16>(size / settings.pieces);
  }
  if (settings.batch > settings.depth) settings.batch = settings.depth;
  const bool can_cut = settings.segment == 0 || nic.has(net::kHasTso4);
  return expect("net_bench.room", settings.depth > 0 && settings.buffer >= 64, "queue of ", size) &&
         expect("net_bench.gso", can_cut, "the device has no TSO");
}

}  // namespace

void guest_main(const BootInfo& info) {
  const std::string_view line(info.command_line);
  tsc_khz();
  if (!read_settings(line) || !nic.find(info) || !start(line)) return;
  print("depth ", settings.depth, " batch ", settings.batch, " features ", hex(nic.features()),
        '\n');
  if (settings.sleeps) {
    sleeper::prepare(nic.transport().base(), nic.irq());
    enable_interrupts();
  }
  run_in_ring3(measure, 0);
  disable_interrupts();
  nic.transport().reset();
  done();
}

}  // namespace kit
