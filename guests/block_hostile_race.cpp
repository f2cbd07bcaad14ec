// SPDX-License-Identifier: Apache-2.0
// block_hostile_race: two vCPUs change one descriptor while the disk reads it, and both kick.
// Whatever the disk makes of it, it works after a reset and writes only where some descriptor
// pointed. Runs for `milliseconds=300`. `disk=N`; `vcpus=2` where no table lists them. Needs two
// vCPUs. Destroys the first sectors of the disk.
#include "guests/kit/arena.hpp"
#include "guests/kit/hostile.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/smp.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

using block::Header;
using block::Type;
using hostile::kError;
using hostile::kOkay;
using hostile::kReset;
using hostile::kSilence;

constexpr u32 kRunning = 1;
constexpr u32 kEnded = 2;

block::Disk disk;
hostile::Victim victim;
u64 ram_end;
u64 duration_us;
u32 other_state;
u32 other_kicks;

u8& status() {
  return victim.page()[64];
}

// One of many states of the data's descriptor; some are proper. The stores are single, so a device
// that reads twice sees two of them.
void spoil(u32 turn) {
  virtio::Descriptor& entry = disk.queue().descriptor(1);
  const u64 good = reinterpret_cast<u64>(victim.data());
  const u64 addresses[] = {good, ram_end - 100, good + kMiB - 512, 0xFFFFFFFFFFFFFF80};
  const u32 lengths[] = {512, 0xFFFFFFFF, 512, 0};
  const u16 nexts[] = {2, 2, 1, 0x8000};
  __atomic_store_n(&entry.address, addresses[turn & 3], __ATOMIC_RELAXED);
  __atomic_store_n(&entry.length, lengths[turn >> 2 & 3], __ATOMIC_RELAXED);
  __atomic_store_n(&entry.next, nexts[turn >> 4 & 3], __ATOMIC_RELAXED);
}

// Runs on the second vCPU.
void run_other() {
  for (u32 turn = 0; __atomic_load_n(&other_state, __ATOMIC_ACQUIRE) == kRunning; turn++) {
    spoil(turn * 7);
    disk.transport().notify(0);
    other_kicks++;
  }
  __atomic_store_n(&other_state, kEnded, __ATOMIC_RELEASE);
}

void offer_read(u32 turn) {
  auto& header = *reinterpret_cast<Header*>(victim.page());
  header = {Type::kRead, 0, 16};
  status() = block::kNoAnswer;
  virtio::Virtqueue& queue = disk.queue();
  queue.descriptor(0) = {reinterpret_cast<u64>(&header), sizeof(header), virtio::kNext, 1};
  queue.descriptor(1).flags = virtio::kNext | virtio::kDeviceWrites;
  queue.descriptor(2) = {reinterpret_cast<u64>(&status()), 1, virtio::kDeviceWrites, 0};
  spoil(turn);
  queue.offer_raw(0);
  queue.publish();
  disk.transport().notify(0);
}

u64 race(u64) {
  u32 seen[kSilence + 1] = {};
  u32 rounds = 0;
  bool goes_on = true;
  for (const Deadline end(duration_us); goes_on && !end.has_passed(); rounds++) {
    u32 turn = rounds;
    offer_read(turn);
    const Deadline patience(2'000);
    while (!disk.queue().has_used() && !patience.has_passed()) spoil(turn++);
    virtio::Used used{};
    if (disk.queue().pop_raw(used)) {
      seen[status() == block::kOk ? kOkay : kError]++;
      continue;
    }
    seen[disk.transport().needs_reset() ? kReset : kSilence]++;
    goes_on = disk.start();
  }
  __atomic_store_n(&other_state, 0, __ATOMIC_RELEASE);
  const auto has_ended = [] { return __atomic_load_n(&other_state, __ATOMIC_ACQUIRE) == kEnded; };
  goes_on &= wait_until(has_ended, 1'000'000);
  print("race: ", rounds, " rounds, ", other_kicks, " kicks of the other vCPU; okay ", seen[kOkay],
        ", error ", seen[kError], ", needs reset ", seen[kReset], ", silence ", seen[kSilence],
        '\n');
  victim.judge("race", "two_vcpus", goes_on && rounds > 0 && other_kicks > 0 ? kOkay : kError,
               kOkay);
  return 0;
}

u64 prepare(u64) {
  return victim.prepare(disk);
}

}  // namespace

void guest_main(const BootInfo& info) {
  tsc_khz();
  if (!disk.find(info)) return;
  lapic::enable();
  ram_end = end_of_ram();
  duration_us = find_number(info.command_line, "milliseconds", 300) * 1000;
  CpuList cpus = find_cpus(info);
  if (cpus.count == 1 && find_number(info.command_line, "vcpus", 1) > 1) cpus.add(1);
  if (expect("race.vcpus", cpus.count > 1, "there is one") &&
      expect("race.prepare", run_in_ring3(prepare, 0) != 0, "see above")) {
    other_state = kRunning;
    if (expect("race.start", start_cpu(cpus.apic_ids[1], run_other),
               "the second vCPU stays away")) {
      run_in_ring3(race, 0);
    }
  }
  disk.transport().reset();
  done();
}

}  // namespace kit
