// SPDX-License-Identifier: Apache-2.0
// block_commands: what a virtio disk does besides reading and writing, and what it refuses:
// discard, write-zeroes, the cache's mode, sectors beyond the end, unknown types, wrong sizes. Then
// a thousand mixed requests in flight on all queues, each checked. `disk=N`, `queues=N`. Destroys
// what is on the disk and leaves pattern 9 (kit/pattern.hpp) in its first MiB, but zeros from 64
// KiB to 128 KiB, and the second MiB discarded. The disk has 16 MiB or more.
#include "guests/kit/arena.hpp"
#include "guests/kit/block.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/pattern.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

using block::Chain;
using block::Config;
using block::kSectorSize;
using block::Type;

constexpr u64 kSeed = 9;
constexpr u8 kPoison = 0xA5;
constexpr u64 kLastSector = ~u64{0};

block::Disk disk;
Chain chain;
u8* data;
u64 capacity;
u16 queues;

u8 change(Type type, block::Range range) {
  return disk.change(type, {&range, 1});
}

// The first two MiB hold the pattern, but where they were changed.
void restore() {
  fill_pattern(data, kMiB, 0, kSeed);
  disk.write(0, data, kMiB);
  fill_pattern(data, kMiB, kMiB, kSeed);
  disk.write(kMiB / kSectorSize, data, kMiB);
}

// Bytes of [start, end) are zero and the 64 KiB before and behind still have their pattern.
bool is_zero_just_there(u64 start, u64 end) {
  constexpr u64 kAround = 64 * kKiB;
  const u64 from = start < kAround ? 0 : start - kAround;
  const u64 size = end + kAround - from;
  __builtin_memset(data, kPoison, size);
  if (disk.read(from / kSectorSize, data, static_cast<u32>(size)) != block::kOk) return false;
  return find_difference(data, start - from, from, kSeed) == start - from &&
         find_other(data + (start - from), end - start, 0) == end - start &&
         find_difference(data + (end - from), kAround, end, kSeed) == kAround;
}

// Write-zeroes of [start, end) in sectors.
void expect_zeroes(std::string_view name, u64 start, u64 end, u32 flags) {
  restore();
  const u8 status = change(Type::kWriteZeroes, {start, static_cast<u32>(end - start), flags});
  expect(name, status == block::kOk && is_zero_just_there(start * kSectorSize, end * kSectorSize),
         "status ", status, ", or the wrong bytes are zero");
}

void check_write_zeroes() {
  if (!disk.has(block::kHasWriteZeroes)) return skip("commands.zeroes", "not offered");
  const auto max = disk.config<u32>(Config::kMaxWriteZeroesSectors);
  const auto max_ranges = disk.config<u32>(Config::kMaxWriteZeroesSegments);
  expect("commands.zeroes_limits", max >= 8 && max_ranges >= 1, max, " sectors, ", max_ranges,
         " ranges");
  expect_zeroes("commands.zeroes", 200, 1224, 0);
  expect_zeroes("commands.zeroes_unmap", 256, 768, block::kUnmap);
  expect_zeroes("commands.zeroes_one_sector", 333, 334, 0);
  expect_zeroes("commands.zeroes_odd_unmap", 131, 1097, block::kUnmap);
  if (max_ranges >= 2) {
    restore();
    const block::Range ranges[] = {{128, 64, 0}, {192, 64, block::kUnmap}};
    const u8 status = disk.change(Type::kWriteZeroes, ranges);
    expect("commands.zeroes_two_ranges",
           status == block::kOk && is_zero_just_there(64 * kKiB, 128 * kKiB), "status ", status);
  }
  expect_equal("commands.zeroes_behind_the_end", change(Type::kWriteZeroes, {capacity - 1, 2, 0}),
               block::kIoError);
  expect_equal("commands.zeroes_wrapped", change(Type::kWriteZeroes, {kLastSector, 8, 0}),
               block::kIoError);
  expect_equal("commands.zeroes_unknown_flag", change(Type::kWriteZeroes, {0, 8, 2}),
               block::kUnsupported);
  if (max < ~u32{0} && capacity > max) {
    const u8 status = change(Type::kWriteZeroes, {0, max + 1, 0});
    expect("commands.zeroes_too_many", status == block::kIoError, status);
  }
}

void check_discard() {
  if (!disk.has(block::kHasDiscard)) return skip("commands.discard", "not offered");
  const auto max = disk.config<u32>(Config::kMaxDiscardSectors);
  const auto alignment = disk.config<u32>(Config::kDiscardAlignment);
  expect("commands.discard_limits",
         max >= 8 && disk.config<u32>(Config::kMaxDiscardSegments) >= 1 && alignment >= 1, max,
         " sectors, alignment ", alignment);
  // What a discarded sector reads is open; its neighbours keep their data.
  restore();
  u8 status = change(Type::kDiscard, {129, 1000, 0});
  bool holds = status == block::kOk;
  constexpr u64 kStart = u64{129} * kSectorSize;
  constexpr u64 kEnd = u64{1129} * kSectorSize;
  holds &= disk.read(0, data, kMiB) == block::kOk &&
           find_difference(data, kStart, 0, kSeed) == kStart &&
           find_difference(data + kEnd, kMiB - kEnd, kEnd, kSeed) == kMiB - kEnd;
  expect("commands.discard", holds, "status ", status, ", or neighbours changed");

  expect_equal("commands.discard_unmap_flag", change(Type::kDiscard, {0, 8, block::kUnmap}),
               block::kUnsupported);
  expect_equal("commands.discard_unknown_flag", change(Type::kDiscard, {0, 8, 0x80000000}),
               block::kUnsupported);
  expect_equal("commands.discard_behind_the_end", change(Type::kDiscard, {capacity, 1, 0}),
               block::kIoError);
  expect_equal("commands.discard_wrapped", change(Type::kDiscard, {kLastSector - 3, 8, 0}),
               block::kIoError);
  // A range that is cut short.
  const block::Range range{0, 8, 0};
  chain.restart(Type::kDiscard, 0);
  chain.add_header();
  chain.add(virtio::readable(&range, 15));
  chain.add_status();
  status = disk.run(chain);
  expect(
      "commands.discard_short",
      status == block::kIoError || status == block::kUnsupported || disk.transport().needs_reset(),
      status);
  if (disk.transport().needs_reset()) disk.start({.queues = queues});
}

void check_cache_mode() {
  if (!disk.has(block::kHasConfigWriteback)) return skip("commands.cache_mode", "not offered");
  const u64 address = disk.transport().config_address(static_cast<u32>(Config::kWriteback));
  bool holds = true;
  for (const u8 mode : {u8{0}, u8{1}, u8{0}, u8{1}}) {
    mmio_write<u8>(address, mode);
    holds &= disk.config<u8>(Config::kWriteback) == mode;
    fill_pattern(data, 4096, mode, 5);
    holds &= disk.write(16, data, 4096) == block::kOk && disk.flush() == block::kOk;
    holds &=
        disk.read(16, data, 4096) == block::kOk && find_difference(data, 4096, mode, 5) == 4096;
  }
  expect("commands.cache_mode", holds, "mode ", disk.config<u8>(Config::kWriteback));
}

void check_refusals() {
  expect_equal("commands.read_at_the_end", disk.read(capacity, data, 512), block::kIoError);
  expect_equal("commands.read_across_the_end", disk.read(capacity - 1, data, 1024),
               block::kIoError);
  expect_equal("commands.read_far", disk.read(u64{1} << 55, data, 512), block::kIoError);
  expect_equal("commands.read_wrapped", disk.read(kLastSector, data, 1024), block::kIoError);
  expect_equal("commands.write_at_the_end", disk.write(capacity, data, 512), block::kIoError);
  expect_equal("commands.write_across_the_end", disk.write(capacity - 7, data, 4096),
               block::kIoError);
  expect_equal("commands.write_wrapped", disk.write(kLastSector - 7, data, 8192), block::kIoError);
  for (const u32 number : {2U, 99U, 0x80000000U, 0xFFFFFFFFU}) {
    const auto type = static_cast<Type>(number);
    expect_equal("commands.unknown_type", disk.transfer(type, 0, nullptr, 0), block::kUnsupported);
    expect_equal("commands.unknown_type_with_data", disk.transfer(type, 0, data, 512),
                 block::kUnsupported);
  }
  expect_equal("commands.lifetime_not_offered", disk.transfer(Type::kGetLifetime, 0, nullptr, 0),
               block::kUnsupported);
  // A part of a sector [Virtio 1.2 5.2.6.1].
  for (const u32 size : {1U, 511U, 513U}) {
    const u8 read = disk.read(0, data, size);
    const u8 write = disk.write(0, data, size);
    expect("commands.part_of_a_sector", read == block::kIoError && write == block::kIoError,
           "size ", size, ": read status ", read, ", write status ", write);
  }
  __builtin_memset(data, kPoison, 4096);
  expect("commands.goes_on", disk.read(0, data, 4096) == block::kOk, "status");
}

// Each slot writes and reads its own 128 sectors in turn.
struct Slot {
  block::Header header;
  u8 status;
  u16 queue;
  u32 size;
  u64 seed;
  virtio::Descriptor table[4];
  virtio::Segment segments[4];
};
constexpr u16 kSlots = 48;
constexpr u32 kSlotSize = 64 * kKiB;
constexpr u64 kStormSector = 4 * kMiB / kSectorSize;
constexpr u32 kRounds = 1200;
Slot slots[kSlots];
u16 owners[block::Disk::kMaxQueues][virtio::Virtqueue::kMaxSize];  // slots, by queue and head

u64 position_of(u16 index) {
  return kStormSector * kSectorSize + u64{index} * kSlotSize;
}

bool submit(u16 index, u64 seed) {
  Slot& slot = slots[index];
  u8* buffer = data + u64{index} * kSlotSize;
  const bool writes = slot.header.type != Type::kWrite;
  if (writes) {
    slot.size = static_cast<u32>((seed * 0x9E3779B97F4A7C15 >> 57) + 1) * kSectorSize;
    slot.seed = seed;
    fill_pattern(buffer, slot.size, position_of(index), seed);
  } else {
    __builtin_memset(buffer, kPoison, slot.size);
  }
  slot.header = {writes ? Type::kWrite : Type::kRead, 0, position_of(index) / kSectorSize};
  slot.status = block::kNoAnswer;
  const u32 first = slot.size / 16 * 8;
  slot.segments[0] = virtio::readable(&slot.header);
  slot.segments[1] = {reinterpret_cast<u64>(buffer), first, !writes};
  slot.segments[2] = {reinterpret_cast<u64>(buffer + first), slot.size - first, !writes};
  slot.segments[3] = virtio::writable(&slot.status);
  if (!disk.submit(slot.segments, seed % 2 != 0 ? slot.table : nullptr, slot.queue)) return false;
  owners[slot.queue][disk.last_head()] = index;
  return true;
}

bool judge(u16 index) {
  const Slot& slot = slots[index];
  const u8* buffer = data + u64{index} * kSlotSize;
  const u8 status = __atomic_load_n(&slot.status, __ATOMIC_ACQUIRE);
  const u64 same = find_difference(buffer, slot.size, position_of(index), slot.seed);
  if (status == block::kOk && same == slot.size) return true;
  print("slot ", index, " size ", slot.size, ": status ", status, ", same up to ", same, '\n');
  return false;
}

void check_storm() {
  const u64 kicks_before = disk.kicks();
  u32 started = 0;
  u32 ended = 0;
  u32 failed = 0;
  for (u16 i = 0; i < kSlots; i++) {
    slots[i].queue = static_cast<u16>(i % queues);
    slots[i].header.type = Type::kRead;
    started += submit(i, started + 1);
  }
  const auto serve = [&] {
    virtio::Used used{};
    for (u16 q = 0; q < queues; q++) {
      while (disk.queue(q).pop(used)) {
        const u16 index = owners[q][used.head % virtio::Virtqueue::kMaxSize];
        failed += !judge(index);
        ended++;
        if (started < kRounds) started += submit(index, started + 1);
      }
    }
    return ended == kRounds;
  };
  const bool is_complete = wait_until(serve, 10'000'000);
  expect("commands.storm", is_complete && failed == 0, ended, " of ", kRounds, " ended, ", failed,
         " wrong");
  print("storm: ", disk.kicks() - kicks_before, " kicks for ", ended, " requests\n");
}

u64 test(u64) {
  data = static_cast<u8*>(take_memory(u64{kSlots} * kSlotSize, 4096));
  restore();
  check_write_zeroes();
  check_discard();
  check_cache_mode();
  check_refusals();
  check_storm();
  restore();
  change(Type::kWriteZeroes, {128, 128, 0});
  change(Type::kDiscard, {kMiB / kSectorSize, kMiB / kSectorSize, 0});
  expect_equal("commands.flush", disk.flush(), block::kOk);
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  const std::string_view line(info.command_line);
  tsc_khz();
  if (!disk.find(info)) return;
  queues = static_cast<u16>(find_number(line, "queues", 1));
  const bool is_up = disk.start({.queues = queues});
  capacity = disk.capacity();
  if (expect("commands.start", is_up && capacity >= 16 * kMiB / kSectorSize, "status ",
             hex(disk.transport().status()), ", ", capacity, " sectors")) {
    run_in_ring3(test, 0);
  }
  disk.transport().reset();
  done();
}

}  // namespace kit
