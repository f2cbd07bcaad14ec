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
#include "guests/kit/command_line.hpp"
#include "guests/kit/doze.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/sleeper.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"
#include "guests/net_bench/round_trips.hpp"
#include "guests/net_bench/settings.hpp"
#include "guests/net_bench/traffic.hpp"

namespace kit {
namespace net_bench {
namespace {

constexpr u64 kWarmUpMs = 300;
constexpr u32 kMergedBuffer = 2048;

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

void prepare() {
  for (u16 pair = 0; pair < settings.pairs; pair++) {
    nic.receive_queue(pair).suppress_interrupts();
    nic.transmit_queue(pair).suppress_interrupts();
    if (settings.mode == Mode::kReceive || settings.mode == Mode::kEcho) prepare_receive(pair);
    if (settings.mode != Mode::kTransmit) continue;
    prepare_transmit(pair, settings.depth);
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

/// Ticks that passed, somewhat more than `ticks`; less when all frames that were wanted came.
u64 run_for(u64 ticks) {
  const u64 begin = rdtsc();
  u64 now = begin;
  while (now - begin < ticks && counts.frames != settings.frames_wanted) {
    bool was_busy = false;
    for (u16 pair = 0; pair < settings.pairs; pair++) {
      was_busy |= turn(pair);
    }
    if (!was_busy && settings.sleeps) sleep();
    now = rdtsc();
  }
  return now - begin;
}

u64 run(u64 ticks) {
  return settings.mode == Mode::kRoundTrip ? run_round_trips(ticks) : run_for(ticks);
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

}  // namespace
}  // namespace net_bench

void guest_main(const BootInfo& info) {
  using namespace net_bench;
  const std::string_view line(info.command_line);
  tsc_khz();
  if (!read_settings(line) || !nic.find(info) || !start(line)) return;
  print("depth ", settings.depth, " batch ", settings.batch, " features ", hex(nic.features()),
        '\n');
  if (settings.sleeps) {
    sleeper::prepare(nic.transport());
    enable_interrupts();
  }
  run_in_ring3(measure, 0);
  disable_interrupts();
  nic.transport().reset();
  done();
}

}  // namespace kit
