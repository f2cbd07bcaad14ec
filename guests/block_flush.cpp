// SPDX-License-Identifier: Apache-2.0
// block_flush: numbered records of 4 KiB, and a line "record N" once all up to N are safe.
// `batch=N` so many are written at once; then `how=flush`: the disk is flushed; `how=through`: it
// was told to write through, and there is no flush. Goes on until the disk is full. Each word of a
// record holds its number, from 1, times 65536, and its place in the record.
#include "guests/kit/arena.hpp"
#include "guests/kit/block.hpp"
#include "guests/kit/boot_info.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

constexpr u32 kRecordSize = 4096;
constexpr u32 kWords = kRecordSize / 8;
constexpr u32 kMaxBatch = 32;

block::Disk disk;
block::Chain chains[kMaxBatch];
u64* data;  // a record per chain
u32 batch;
bool is_through;

void fill(u64 record, u64* words) {
  for (u64 index = 0; index < kWords; ++index) words[index] = record << 16 | index;
}

/// Writes the records from `first` on, all at once; false when one of them fails.
bool write_batch(u64 first) {
  for (u32 i = 0; i < batch; ++i) {
    u64* words = data + u64{i} * kWords;
    fill(first + i, words);
    chains[i].restart(block::Type::kWrite, (first + i - 1) * (kRecordSize / block::kSectorSize));
    chains[i].add_header();
    chains[i].add(virtio::readable(words, kRecordSize));
    chains[i].add_status();
    if (!disk.submit(chains[i])) return false;
  }
  if (!disk.complete(static_cast<u16>(batch))) return false;
  for (u32 i = 0; i < batch; ++i) {
    if (chains[i].status() != block::kOk) return false;
  }
  return is_through || disk.flush() == block::kOk;
}

u64 write_records(u64) {
  const u64 records = disk.capacity() * block::kSectorSize / kRecordSize;
  for (u64 first = 1; first + batch - 1 <= records; first += batch) {
    if (!write_batch(first)) return first;
    print("record ", first + batch - 1, '\n');
  }
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  const std::string_view line(info.command_line);
  tsc_khz();
  if (!disk.find(info)) return;
  is_through = find_value(line, "how") == "through";
  batch = static_cast<u32>(find_number(line, "batch", 1));
  data = static_cast<u64*>(take_memory(u64{kMaxBatch} * kRecordSize, kRecordSize));
  const bool can = batch >= 1 && batch <= kMaxBatch && data != nullptr && disk.start() &&
                   disk.has(is_through ? block::kHasConfigWriteback : block::kHasFlush);
  if (expect("flush.start", can, "status ", hex(disk.transport().status()))) {
    // 0: write through [Virtio 1.2 5.2.5.2].
    if (is_through) {
      mmio_write<u8>(disk.transport().config_address(static_cast<u32>(block::Config::kWriteback)),
                     0);
    }
    expect_equal("flush.records", run_in_ring3(write_records, 0), u64{0});
  }
  disk.transport().reset();
  done();
}

}  // namespace kit
