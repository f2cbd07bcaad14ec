// SPDX-License-Identifier: Apache-2.0
// block: a virtio disk keeps data, whatever the shape of a request. `disk=N`, `capacity=SECTORS`,
// `id=NAME`, `queues=N` as the monitor was told; `ro` for a read-only disk. Destroys what is on the
// disk and leaves pattern 7 (kit/pattern.hpp) in the second MiB. The disk has 16 MiB or more.
#include "guests/kit/block.hpp"

#include "guests/kit/arena.hpp"
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
using block::Layout;
using block::Type;

constexpr u32 kBuffer = kMiB;
constexpr u64 kLastSeed = 7;
constexpr u64 kLastSector = kMiB / kSectorSize;
constexpr u8 kPoison = 0xA5;

block::Disk disk;
Chain chain;
u8* data;
std::string_view line;
u32 pieces_max;  // of data
u64 capacity;
u16 queues;

void check_features() {
  const u64 offered = disk.transport().device_features();
  print("features ", hex(offered), '\n');
  expect("block.version_1", (offered & virtio::kVersion1) != 0, hex(offered));
  expect("block.event_index", (offered & virtio::kEventIndex) != 0, hex(offered));
  expect("block.indirect", (offered & virtio::kIndirectDescriptors) != 0, hex(offered));
  expect("block.flush", (offered & block::kHasFlush) != 0, hex(offered));
  expect("block.read_only", ((offered & block::kIsReadOnly) != 0) == has_word(line, "ro"),
         hex(offered));
}

void check_config() {
  expect_equal("block.capacity", capacity, find_number(line, "capacity", capacity));
  if (disk.has(block::kHasBlockSize)) {
    const auto size = disk.config<u32>(Config::kBlockSize);
    expect("block.block_size", size >= kSectorSize && (size & (size - 1)) == 0, size);
  }
  if (disk.has(block::kHasTopology)) {
    const auto exponent = disk.config<u8>(Config::kPhysicalBlockExponent);
    expect("block.topology", exponent < 16, "physical block of 2^", exponent, " blocks");
  }
  if (disk.has(block::kHasSizeMax)) {
    expect("block.size_max", disk.config<u32>(Config::kSizeMax) >= 4096, "less than a page");
  }
  const u32 segments_max = disk.has(block::kHasSegmentsMax) ? disk.config<u32>(Config::kSegmentsMax)
                                                            : Chain::kMaxSegments;
  expect("block.seg_max", segments_max >= 1, "no room for data");
  const u32 room = disk.queue().size() - 2U;
  pieces_max = segments_max < room ? segments_max : room;
  const u32 offered = disk.has(block::kHasMultiQueue) ? disk.config<u16>(Config::kQueueCount) : 1;
  expect_equal("block.queues", offered, queues);
  disk.transport().set(virtio::Register::kQueueSelect, queues);
  expect_equal("block.queue_behind_the_last", disk.transport().get(virtio::Register::kQueueSizeMax),
               0U);
}

void check_id() {
  __builtin_memset(data, kPoison, 64);
  const u8 status = disk.transfer(Type::kGetId, 0, data, block::kIdSize);
  u32 size = 0;
  while (size < block::kIdSize && data[size] != 0) size++;
  const std::string_view id(reinterpret_cast<const char*>(data), size);
  print("id ", id, '\n');
  const std::string_view wanted = find_value(line, "id");
  expect("block.id", status == block::kOk && (wanted.empty() || id == wanted), "status ", status,
         ", \"", id, "\"");
  expect_equal("block.id_ends", find_other(data + block::kIdSize, 44, kPoison), u64{44});
}

// Header, the data in pieces of at most `piece` bytes, status.
void compose(Type type, u64 sector, const u8* address, u32 size, u32 piece) {
  chain.restart(type, sector);
  chain.add_header();
  for (u32 done = 0; done < size; done += piece) {
    const u32 length = size - done < piece ? size - done : piece;
    chain.add({reinterpret_cast<u64>(address + done), length, type == Type::kRead});
  }
  chain.add_status();
}

// Writes a pattern and reads it back, both in pieces; prints what is wrong with it.
bool keeps(u64 sector, u8* address, u32 size, u32 piece, Layout layout, u64 seed, u16 queue = 0) {
  fill_pattern(address, size, sector * kSectorSize, seed);
  compose(Type::kWrite, sector, address, size, piece);
  const u8 written = disk.run(chain, layout, queue);
  const u32 write_length = disk.last_length();
  __builtin_memset(address, kPoison, size);
  compose(Type::kRead, sector, address, size, piece);
  const u8 read = disk.run(chain, layout, queue);
  const u32 read_length = disk.last_length();
  const u64 same = find_difference(address, size, sector * kSectorSize, seed);
  if (written == block::kOk && read == block::kOk && same == size && write_length == 1 &&
      read_length == size + 1) {
    return true;
  }
  print("sector ", sector, " size ", size, " piece ", piece, ": write status ", written, " length ",
        write_length, ", read status ", read, " length ", read_length, ", same up to ", same, '\n');
  return false;
}

void check_sizes(std::string_view name, Layout layout, u64 seed) {
  bool holds = true;
  for (const u32 size : {512U, 4096U, 8192U, 65536U, kBuffer}) {
    const u64 last = capacity - size / kSectorSize;
    for (const u64 sector : {u64{0}, u64{1}, u64{4099}, last}) {
      holds &= keeps(sector, data, size, size, layout, seed++);
    }
  }
  expect(name, holds, "see above");
}

void check_segments(std::string_view name, Layout layout, u64 seed) {
  const u32 limit = pieces_max < 64 ? pieces_max : 64;
  bool holds = keeps(64, data, kBuffer, kBuffer / limit / 8 * 8 + 8, layout, seed + 1);
  holds &= keeps(65, data, limit * 4096, 4096, layout, seed + 2);
  // Pieces and addresses that fit no sector.
  if (limit >= 9) {
    holds &= keeps(66, data + 1, limit * 72 / kSectorSize * kSectorSize, 72, layout, seed + 3);
    holds &= keeps(67, data + 4091, 8192, 1000, layout, seed + 4);
  }
  expect(name, holds, "see above");
}

// Where one descriptor ends and the next begins means nothing [Virtio 1.2 2.7.4.1].
void check_framing(std::string_view name, Layout layout) {
  auto* header = reinterpret_cast<u8*>(&chain.header());
  __builtin_memset(data, kPoison, 4096);
  chain.restart(Type::kRead, kLastSector);
  constexpr u32 kBytes = sizeof(block::Header);
  const u32 single = pieces_max < kBytes ? pieces_max - 1 : kBytes;
  for (u32 i = 0; i < single; i++) chain.add(virtio::readable(header + i));
  if (single < kBytes) chain.add(virtio::readable(header + single, kBytes - single));
  chain.add(virtio::writable(data, 4096));
  chain.add_status();
  const u8 status = disk.run(chain, layout);
  const u64 same = find_difference(data, 4096, kMiB, kLastSeed);
  expect(name, status == block::kOk && same == 4096, "status ", status, ", same up to ", same,
         ", device status ", hex(disk.transport().status()));
}

void check_shared_descriptors(std::string_view name, Layout layout) {
  // Header and data in one piece.
  u8* together = data + 8192;
  const block::Header header{Type::kWrite, 0, 8};
  __builtin_memcpy(together, &header, sizeof(header));
  fill_pattern(together + sizeof(header), 512, 4096, 3);
  chain.restart(Type::kWrite, 0);
  chain.add(virtio::readable(together, sizeof(header) + 512));
  chain.add_status();
  const u8 written = disk.run(chain, layout);

  // Data and status in one piece.
  __builtin_memset(data, kPoison, 1024);
  chain.restart(Type::kRead, 8);
  chain.add_header();
  chain.add(virtio::writable(data, 513));
  const bool is_complete = disk.submit(chain, layout) && disk.complete(1);
  const u64 same = find_difference(data, 512, 4096, 3);
  expect(name,
         written == block::kOk && is_complete && data[512] == block::kOk && data[513] == kPoison &&
             same == 512,
         "write status ", written, ", read status ", data[512], ", same up to ", same);
}

// Requests of one sector group each, all in flight in every queue at once.
struct Slot {
  block::Header header;
  u8 status;
  virtio::Descriptor table[3];
};
constexpr u16 kSlots = 256;
Slot slots[kSlots];

void check_full_queues() {
  keeps(kLastSector, data, kMiB, kMiB, Layout::kDirect, kLastSeed);
  __builtin_memset(data, kPoison, kMiB);
  const u32 room = u32{disk.queue().size()} * queues;
  const u16 count = room < kSlots ? static_cast<u16>(room) : kSlots;
  u16 in_queue[block::Disk::kMaxQueues] = {};
  bool is_submitted = true;
  for (u16 i = 0; i < count; i++) {
    Slot& slot = slots[i];
    slot.header = {Type::kRead, 0, kLastSector + u64{i} * 8};
    slot.status = block::kNoAnswer;
    const virtio::Segment pieces[] = {virtio::readable(&slot.header),
                                      virtio::writable(data + u64{i} * 4096, 4096),
                                      virtio::writable(&slot.status)};
    const auto queue = static_cast<u16>(i % queues);
    is_submitted &= disk.submit(pieces, slot.table, queue);
    in_queue[queue]++;
  }
  bool is_complete = true;
  for (u16 q = 0; q < queues; q++) is_complete &= disk.complete(in_queue[q], q);
  u32 failed = 0;
  for (u16 i = 0; i < count; i++) failed += slots[i].status != block::kOk;
  const u64 size = u64{count} * 4096;
  const u64 same = find_difference(data, size, kMiB, kLastSeed);
  expect("block.full_queues", is_submitted && is_complete && failed == 0 && same == size,
         is_submitted ? "" : "no room, ", is_complete ? "" : "some never end, ", failed,
         " fail, same up to ", same);
}

void check_every_queue() {
  bool holds = true;
  for (u16 q = 0; q < queues; q++) {
    holds &= keeps(8192 + q * 64U, data, 32768, 16384, Layout::kDirect, 100U + q, q);
  }
  for (u16 q = 0; q < queues; q++) {
    const u64 sector = 8192 + q * 64U;
    holds &= disk.read(sector, data, 32768) == block::kOk &&
             find_difference(data, 32768, sector * kSectorSize, 100U + q) == 32768;
  }
  expect("block.every_queue", holds, "see above");
}

void check_queue_sizes() {
  const u32 max = disk.transport().queue_size_max(0);
  expect("block.queue_size", max >= 2 && max <= 32768 && (max & (max - 1)) == 0, max);
  bool holds = true;
  for (const u16 size : {u16{4}, u16{16}, u16{virtio::Virtqueue::kMaxSize}}) {
    holds &= disk.start({.queue_size = size});
    for (u32 i = 0; i < 40; i++) holds &= keeps(512, data, 512, 512, Layout::kDirect, i);
  }
  expect("block.queue_sizes", holds, "see above");
  // Without the features that queues can do without.
  holds = disk.start({.features = 0});
  for (u32 i = 0; i < 40; i++) holds &= keeps(520, data, 512, 512, Layout::kDirect, i);
  expect("block.plain_features", holds, "features ", hex(disk.features()));
}

void check_read_only() {
  expect("block.read", disk.read(0, data, 4096) == block::kOk, "status");
  u8* copy = data + 4096;
  __builtin_memcpy(copy, data, 4096);
  __builtin_memset(data, kPoison, 4096);
  expect_equal("block.write_is_refused", disk.write(0, data, 4096), block::kIoError);
  const u8 status = disk.read(0, data, 4096);
  expect("block.nothing_written", status == block::kOk && __builtin_memcmp(data, copy, 4096) == 0,
         "status ", status);
  const block::Range range{0, 8, 0};
  for (const Type type : {Type::kDiscard, Type::kWriteZeroes}) {
    const u8 answer = disk.change(type, {&range, 1});
    expect("block.change_is_refused", answer == block::kIoError || answer == block::kUnsupported,
           answer);
  }
  expect_equal("block.flush_read_only", disk.flush(), block::kOk);
}

u64 test(u64) {
  data = static_cast<u8*>(take_memory(kBuffer + 8192, 4096));
  check_features();
  check_config();
  check_id();
  if (has_word(line, "ro")) {
    check_read_only();
    return 0;
  }
  check_sizes("block.sizes", Layout::kDirect, 1000);
  check_sizes("block.sizes_indirect", Layout::kIndirect, 2000);
  check_segments("block.segments", Layout::kDirect, 3000);
  check_segments("block.segments_indirect", Layout::kIndirect, 4000);
  check_full_queues();
  check_framing("block.header_of_bytes", Layout::kDirect);
  check_framing("block.header_of_bytes_indirect", Layout::kIndirect);
  check_shared_descriptors("block.shared_descriptors", Layout::kDirect);
  check_shared_descriptors("block.shared_descriptors_indirect", Layout::kIndirect);
  check_every_queue();
  expect_equal("block.flushes", disk.flush(), block::kOk);
  check_queue_sizes();
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  line = info.command_line;
  tsc_khz();
  if (!disk.find(info)) return;
  queues = static_cast<u16>(find_number(line, "queues", 1));
  const bool is_up = disk.start({.queues = queues});
  capacity = disk.capacity();
  if (expect("block.start", is_up && capacity >= 16 * kMiB / kSectorSize, "status ",
             hex(disk.transport().status()), ", ", capacity, " sectors")) {
    run_in_ring3(test, 0);
  }
  disk.transport().reset();
  done();
}

}  // namespace kit
