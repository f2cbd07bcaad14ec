// SPDX-License-Identifier: Apache-2.0
// block_bench: a disk under load, driven from ring 3. `mode=randread|randwrite|seqread`,
// `size=4096` and `depth=32` of a request and of each queue, `queues=1`, `seconds=2`,
// `wait=poll|irq`, `span=BYTES` of the disk that are used (default all, 256 MiB at the most),
// `indirect=0|1` (default: where the queue is too small for direct chains), `event_index=0|1`.
// Prints `result name value unit`. randwrite destroys what is there.
#include "guests/kit/arena.hpp"
#include "guests/kit/block.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/doze.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/sleeper.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

constexpr u64 kPage = 4096;
constexpr u16 kPiecesOfRequest = 3;
constexpr u64 kWarmUpMs = 300;

struct Settings {
  block::Type type;
  bool is_random;
  bool sleeps;
  bool is_indirect;
  u32 size;
  u16 depth;
  u16 queues;
  u64 blocks;  // of `size` bytes
  u64 ticks;
};
Settings settings;

struct Counts {
  u64 requests = 0;
  u64 errors = 0;
  u64 kicks = 0;
};
Counts counts;

/// What one queue needs of memory that the device shares. A request is its slot's number: the
/// descriptors stay, only the sector changes.
struct Slots {
  block::Header* headers;
  u8* statuses;
  u8* data;
  virtio::Descriptor* tables;
};
Slots slots[block::Disk::kMaxQueues];
block::Disk disk;
u64 random_state = 0x9E3779B97F4A7C15;
u64 next_block = 0;

// xorshift64, its upper half scaled to the span.
u64 pick_block() {
  if (!settings.is_random) {
    if (next_block == settings.blocks) next_block = 0;
    return next_block++;
  }
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (random_state >> 32) * settings.blocks >> 32;
}

void offer(u16 queue, u16 slot) {
  slots[queue].headers[slot].sector = pick_block() * (settings.size / block::kSectorSize);
  disk.queue(queue).offer_raw(slot);
}

void publish(u16 queue) {
  disk.queue(queue).publish();
  if (!disk.queue(queue).needs_kick()) return;
  counts.kicks++;
  disk.transport().notify(queue);
}

void sleep() {
  if (!disk.has(virtio::kEventIndex)) {
    for (u16 q = 0; q < settings.queues; q++) disk.queue(q).suppress_interrupts();
  }
  bool is_idle = true;
  for (u16 q = 0; q < settings.queues; q++) is_idle &= disk.queue(q).request_interrupt();
  if (is_idle) doze::sleep();
  if (!disk.has(virtio::kEventIndex)) {
    for (u16 q = 0; q < settings.queues; q++) disk.queue(q).suppress_interrupts();
  }
}

/// Takes what is used and offers it anew while `refills`. False when nothing was used.
bool turn(u16 queue, bool refills) {
  virtio::Virtqueue& ring = disk.queue(queue);
  virtio::Used used{};
  bool was_busy = false;
  while (ring.pop_raw(used)) {
    was_busy = true;
    const auto slot = static_cast<u16>(used.head);
    counts.requests++;
    if (slot >= settings.depth || slots[queue].statuses[slot] != block::kOk) counts.errors++;
    if (refills && slot < settings.depth) offer(queue, slot);
  }
  if (was_busy && refills) publish(queue);
  return was_busy;
}

/// Ticks that passed, somewhat more than `ticks`.
u64 run_for(u64 ticks, bool refills) {
  const u64 begin = rdtsc();
  u64 now = begin;
  while (now - begin < ticks) {
    bool was_busy = false;
    for (u16 q = 0; q < settings.queues; q++) was_busy |= turn(q, refills);
    if (!was_busy) {
      bool is_empty = true;
      for (u16 q = 0; q < settings.queues; q++) is_empty &= disk.queue(q).in_flight() == 0;
      if (is_empty) break;
      if (settings.sleeps) sleep();
    }
    now = rdtsc();
  }
  return now - begin;
}

void prepare(u16 queue) {
  virtio::Virtqueue& ring = disk.queue(queue);
  const bool device_writes = settings.type == block::Type::kRead;
  for (u16 i = 0; i < settings.depth; i++) {
    Slots& own = slots[queue];
    u8* data = own.data + u64{i} * ((settings.size + kPage - 1) & ~(kPage - 1));
    own.headers[i] = {settings.type, 0, 0};
    own.statuses[i] = block::kNoAnswer;
    __builtin_memset(data, i, settings.size);
    // The head is the slot's number; direct chains go on behind all heads.
    virtio::Descriptor* table = own.tables + u64{kPiecesOfRequest} * i;
    auto at = static_cast<u16>(settings.depth + 2 * i);
    virtio::Descriptor* rest = &ring.descriptor(at);
    virtio::Descriptor* head = &ring.descriptor(i);
    if (settings.is_indirect) {
      *head = {reinterpret_cast<u64>(table), kPiecesOfRequest * sizeof(virtio::Descriptor),
               virtio::kIndirect, 0};
      head = table;
      rest = table + 1;
      at = 1;
    }
    *head = {reinterpret_cast<u64>(&own.headers[i]), sizeof(block::Header), virtio::kNext, at};
    rest[0] = {reinterpret_cast<u64>(data), settings.size,
               static_cast<u16>(virtio::kNext | (device_writes ? virtio::kDeviceWrites : 0)),
               static_cast<u16>(at + 1)};
    rest[1] = {reinterpret_cast<u64>(&own.statuses[i]), 1, virtio::kDeviceWrites, 0};
  }
}

bool allocate() {
  const u64 buffer = (settings.size + kPage - 1) & ~(kPage - 1);
  for (u16 q = 0; q < settings.queues; q++) {
    Slots& own = slots[q];
    own.headers = static_cast<block::Header*>(
        take_memory(settings.depth * sizeof(block::Header), alignof(block::Header)));
    own.statuses = static_cast<u8*>(take_memory(settings.depth, kPage));
    own.data = static_cast<u8*>(take_memory(settings.depth * buffer, kPage));
    own.tables = static_cast<virtio::Descriptor*>(
        take_memory(u64{settings.depth} * kPiecesOfRequest * sizeof(virtio::Descriptor),
                    sizeof(virtio::Descriptor)));
    if (own.data == nullptr || own.tables == nullptr) return false;
  }
  return true;
}

void report(u64 ticks, const Counts& done, u64 wake_ups) {
  const u64 us = tsc_to_ns(ticks) / 1000;
  // Requests are always in flight: the time of one is what their number and the rate imply.
  const u64 in_flight = u64{settings.depth} * settings.queues;
  const u64 ns_each = done.requests == 0 ? 0 : multiply_divide(us * 1000, in_flight, done.requests);
  const u64 hundredths = ns_each / 10 % 100;
  print("result iops ", multiply_divide(done.requests, 1'000'000, us), " 1/s\n");
  print("result mean_us ", ns_each / 1000, hundredths < 10 ? ".0" : ".", hundredths, " us\n");
  print("result requests ", done.requests, " count\n");
  print("result errors ", done.errors, " count\n");
  print("result kicks ", done.kicks, " count\n");
  print("result interrupts ", wake_ups, " count\n");
  print("result elapsed ", us, " us\n");
}

u64 measure(u64) {
  if (!allocate()) return expect("block_bench.memory", false, "too little for the buffers");
  for (u16 q = 0; q < settings.queues; q++) {
    prepare(q);
    disk.queue(q).suppress_interrupts();
    for (u16 i = 0; i < settings.depth; i++) offer(q, i);
    publish(q);
  }
  run_for(kWarmUpMs * tsc_khz(), true);
  print("measuring\n");
  counts = {};
  const u64 interrupts_before = doze::interrupts();
  const u64 timer_before = sleeper::timer_interrupts();
  const u64 ticks = run_for(settings.ticks, true);
  const Counts done = counts;
  const u64 wake_ups = doze::interrupts() - interrupts_before;
  const u64 timer_wake_ups = sleeper::timer_interrupts() - timer_before;
  print("measured\n");
  report(ticks, done, wake_ups);
  if (timer_wake_ups > 0) print("result timer_interrupts ", timer_wake_ups, " count\n");
  run_for(tsc_khz() * 1000, false);  // what is in flight, a second at the most
  expect("block_bench.errors", done.errors == 0, done.errors, " requests failed");
  return 0;
}

bool read_settings(std::string_view line) {
  std::string_view mode = find_value(line, "mode");
  if (mode.empty()) mode = "randread";
  std::string_view wait = find_value(line, "wait");
  if (wait.empty()) wait = "poll";
  const bool knows_words = (mode == "randread" || mode == "randwrite" || mode == "seqread") &&
                           (wait == "poll" || wait == "irq");
  if (!expect("block_bench.words", knows_words, "mode=", mode, " wait=", wait)) return false;
  settings.type = mode == "randwrite" ? block::Type::kWrite : block::Type::kRead;
  settings.is_random = mode != "seqread";
  settings.sleeps = wait == "irq";
  settings.size = static_cast<u32>(find_number(line, "size", 4096));
  settings.depth = static_cast<u16>(find_number(line, "depth", 32));
  settings.queues = static_cast<u16>(find_number(line, "queues", 1));
  settings.ticks = find_number(line, "seconds", 2) * 1000 * tsc_khz();
  const bool is_sane = settings.size >= block::kSectorSize &&
                       settings.size % block::kSectorSize == 0 && settings.depth >= 1 &&
                       settings.depth <= virtio::Virtqueue::kMaxSize && settings.queues >= 1 &&
                       settings.queues <= block::Disk::kMaxQueues;
  return expect("block_bench.numbers", is_sane, "size, depth or queues out of range");
}

bool start_disk(const BootInfo& info, std::string_view line) {
  if (!disk.find(info)) return false;
  block::Wish wish;
  wish.queues = settings.queues;
  wish.queue_size = virtio::Virtqueue::kMaxSize;
  if (find_number(line, "event_index", 1) == 0) wish.features &= ~virtio::kEventIndex;
  if (!expect("block_bench.start", disk.start(wish), "status ", hex(disk.transport().status()))) {
    return false;
  }
  const u16 queue_size = disk.queue().size();
  const bool fits = settings.depth * kPiecesOfRequest <= queue_size;
  settings.is_indirect = find_number(line, "indirect", fits ? 0 : 1) != 0;
  const bool has_room = fits || (settings.is_indirect && settings.depth <= queue_size &&
                                 disk.has(virtio::kIndirectDescriptors));
  if (!expect("block_bench.room", has_room, "a queue has ", queue_size, " entries")) return false;

  const u64 bytes = disk.capacity() * block::kSectorSize;
  u64 span = find_number(line, "span", bytes < 256 * kMiB ? bytes : 256 * kMiB);
  if (span > bytes) span = bytes;
  settings.blocks = span / settings.size;
  return expect("block_bench.span", settings.blocks > 0 && settings.blocks <= ~u32{0},
                "the disk has ", bytes, " bytes");
}

}  // namespace

void guest_main(const BootInfo& info) {
  const std::string_view line(info.command_line);
  tsc_khz();
  if (!read_settings(line) || !start_disk(info, line)) return;
  if (settings.sleeps) {
    sleeper::prepare(disk.transport());
    enable_interrupts();
  }
  run_in_ring3(measure, 0);
  disable_interrupts();
  disk.transport().reset();
  done();
}

}  // namespace kit
