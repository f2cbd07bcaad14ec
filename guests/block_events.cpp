// SPDX-License-Identifier: Apache-2.0
// block_events: when a virtio disk interrupts and wants to be kicked, and what a reset leaves.
// Interrupts by I/O APIC (edge, level) and PIC; suppression both ways; reset of a queue and of the
// device with requests in flight. `disk=N`, `queues=N`. With `wait=resize` it also prints
// `ready for resize`, waits ten seconds at the most for the interrupt that tells a new capacity,
// and prints `capacity SECTORS`. Only reads.
#include "guests/kit/arena.hpp"
#include "guests/kit/block.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/ioapic.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/pattern.hpp"
#include "guests/kit/pic.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

using block::Type;

constexpr u8 kVector = 0x50;
constexpr u8 kPicBase = 0x20;
constexpr u32 kPinsOfPic = 16;
constexpr u32 kPinsOfMaster = 8;
constexpr u64 kPatienceUs = 1'000'000;
constexpr u64 kQuietUs = 3'000;
constexpr u64 kResizePatienceUs = 10'000'000;
constexpr u8 kPoison = 0xA5;
constexpr u32 kSlotSize = 64 * kKiB;
constexpr u16 kSlots = 64;

block::Disk disk;
u8* data;
std::string_view line;
u16 queues;

// Written by the handler, which runs in ring 0 while all else is in ring 3.
volatile u32 interrupts;         // of any reason
volatile u32 config_interrupts;  // among them
volatile bool is_by_pic;

void on_disk(Frame&) {
  const u32 reasons = disk.transport().acknowledge_interrupt();
  interrupts = interrupts + 1;
  if ((reasons & virtio::kConfigChange) != 0) config_interrupts = config_interrupts + 1;
  if (!is_by_pic) return lapic::end_of_interrupt();
  if (disk.irq() >= kPinsOfMaster) out8(pic::kSlaveCommand, pic::kEndOfInterrupt);
  pic::end_of_interrupt();
}

u8 read_sector() {
  return disk.read(0, data, block::kSectorSize);
}

void be_quiet() {
  const Deadline quiet(kQuietUs);
  while (!quiet.has_passed()) pause();
}

// Twenty requests that each ask for an interrupt, one after the other.
void check_delivery(std::string_view name, u32 extra) {
  constexpr u32 kRequests = 20;
  u32 late = 0;
  interrupts = 0;
  for (u32 i = 0; i < kRequests; i++) {
    const u32 before = interrupts;
    disk.queue().request_interrupt();
    const bool is_read = read_sector() == block::kOk;
    const bool came = wait_until([before] { return interrupts > before; }, kPatienceUs / 10);
    late += !is_read || !came;
    if (late > 2) break;
  }
  be_quiet();
  const u32 came = interrupts;
  expect(name, late == 0 && came >= kRequests && came <= kRequests + extra, came,
         " interrupts for ", kRequests, " requests, ", late, " missing");
  const u32 pending = disk.transport().get(virtio::Register::kInterruptStatus);
  expect("events.is_acknowledged", pending == 0, "interrupt status ", hex(pending));
}

void check_io_apic() {
  ioapic::route(disk.irq(), kVector, lapic::id());
  check_delivery("events.edge", 0);
  ioapic::route(disk.irq(), ioapic::kLevel | kVector, lapic::id());
  // Some software KVM ends an interrupt when the vCPU takes it: a level comes once more.
  check_delivery("events.level", 20);
  ioapic::set_entry(disk.irq(), ioapic::kMasked);
}

void check_pic() {
  const u32 irq = disk.irq();
  if (irq >= kPinsOfPic) return skip("events.pic", "the device is on pin ", irq);
  is_by_pic = true;
  lapic::write(lapic::Register::kLint0, lapic::kExtInt);
  pic::initialise(kPicBase);
  const u32 lines = u32{1} << irq | (irq >= kPinsOfMaster ? 1U << 2 : 0);
  out8(pic::kMasterData, static_cast<u8>(~lines));
  out8(pic::kSlaveData, static_cast<u8>(~lines >> 8));
  check_delivery("events.pic", 0);
  out8(pic::kMasterData, 0xFF);
  out8(pic::kSlaveData, 0xFF);
  lapic::write(lapic::Register::kLint0, lapic::kMasked);
  is_by_pic = false;
}

void check_suppression(std::string_view name) {
  disk.queue().suppress_interrupts();
  interrupts = 0;
  u32 failed = 0;
  for (u32 i = 0; i < 200; i++) failed += read_sector() != block::kOk;
  be_quiet();
  expect(name, failed == 0 && interrupts == 0, interrupts, " interrupts, ", failed, " fail");
}

// One-sector reads into the slots of the data, all with one kick.
struct Slot {
  block::Header header;
  u8 status;
  virtio::Descriptor table[3];
};
Slot slots[kSlots];

bool submit(u16 index, u64 sector, u32 size, u16 queue) {
  Slot& slot = slots[index];
  slot.header = {Type::kRead, 0, sector};
  slot.status = block::kNoAnswer;
  const virtio::Segment pieces[] = {virtio::readable(&slot.header),
                                    virtio::writable(data + u64{index} * kSlotSize, size),
                                    virtio::writable(&slot.status)};
  return disk.submit(pieces, slot.table, queue);
}

void check_event_index() {
  if (!disk.has(virtio::kEventIndex)) return skip("events.event_index", "not offered");
  interrupts = 0;
  disk.queue().request_interrupt(8);
  for (u32 i = 0; i < 7; i++) read_sector();
  be_quiet();
  const u32 before = interrupts;
  read_sector();
  wait_until([] { return interrupts > 0; }, kPatienceUs / 10);
  be_quiet();
  expect("events.eighth_interrupts", before == 0 && interrupts == 1, before, " before it, ",
         interrupts, " in all");

  // Many at once and none asked for behind the first: one interrupt, not one for each.
  interrupts = 0;
  disk.queue().request_interrupt();
  const u16 batch = disk.queue().size() < 32 ? disk.queue().size() : 32;
  for (u16 i = 0; i < batch; i++) submit(i, i, block::kSectorSize, 0);
  const bool is_complete = disk.complete(batch);
  wait_until([] { return interrupts > 0; }, kPatienceUs / 10);
  be_quiet();
  expect("events.one_for_many", is_complete && interrupts == 1, interrupts, " interrupts");
}

// Kicks only where the device asks for them. A device that forgets to look again after it asked
// leaves a request behind: pauses of many lengths look for that moment.
void check_kicks(std::string_view name) {
  constexpr u32 kRequests = 400;
  const u64 kicks_before = disk.kicks();
  u32 failed = 0;
  for (u32 i = 0; i < kRequests && failed == 0; i++) {
    failed += read_sector() != block::kOk;
    const u64 until = rdtsc() + (i % 100) * tsc_khz() / 1000;
    while (rdtsc() < until) pause();
  }
  const u64 kicks = disk.kicks() - kicks_before;
  expect(name, failed == 0 && kicks <= kRequests, failed, " lost");
  print("kicks ", kicks, " for ", kRequests, " requests\n");
}

// One reset of queue 0 with all slots in flight; false, with a line, when something is wrong.
bool reset_busy_queue(bool waits) {
  for (u16 i = 0; i < kSlots; i++) submit(i, u64{i} * 128, kSlotSize, 0);
  if (!disk.transport().reset_queue(0)) {
    print("the queue's reset does not end\n");
    return false;
  }
  // The device is done with the memory: what is there stays there.
  constexpr u64 kSize = u64{kSlots} * kSlotSize;
  __builtin_memset(data, kPoison, kSize);
  if (waits) be_quiet();
  const u64 same = find_other(data, kSize, kPoison);
  if (same != kSize) print("the device writes behind the reset, at ", same, '\n');
  const bool others_go_on = queues == 1 || disk.read(0, data, 4096, 1) == block::kOk;
  if (!others_go_on) print("the next queue does not go on\n");
  bool goes_on = disk.start_queue(0, disk.queue().size());
  for (u32 i = 0; i < 20; i++) goes_on &= read_sector() == block::kOk;
  if (!goes_on) print("the queue does not go on\n");
  return same == kSize && others_go_on && goes_on;
}

void check_queue_reset() {
  if (!disk.has(virtio::kRingReset)) return skip("events.queue_reset", "not offered");
  bool holds = true;
  for (u32 round = 0; round < 10 && holds; round++) holds = reset_busy_queue(round == 0);
  expect("events.queue_reset", holds, "status ", hex(disk.transport().status()));
  if (!holds) disk.start({.queues = queues});
}

void check_device_reset(std::string_view name) {
  bool holds = true;
  u64 same = u64{kSlots} * kSlotSize;
  for (u32 round = 0; round < 20 && holds; round++) {
    for (u16 i = 0; i < kSlots; i++) {
      submit(i, u64{i} * 128, kSlotSize, static_cast<u16>(i % queues));
    }
    holds &= disk.transport().reset();
    __builtin_memset(data, kPoison, u64{kSlots} * kSlotSize);
    for (Slot& slot : slots) slot.status = kPoison;
    holds &= disk.transport().get(virtio::Register::kInterruptStatus) == 0;
    if (round % 4 == 0) be_quiet();
    same = find_other(data, same, kPoison);
    for (const Slot& slot : slots) holds &= slot.status == kPoison;
    holds &= disk.start({.queues = queues});
    for (u32 i = 0; i < 5; i++) holds &= read_sector() == block::kOk;
  }
  if (same != u64{kSlots} * kSlotSize) print("the device writes behind the reset, at ", same, '\n');
  expect(name, holds && same == u64{kSlots} * kSlotSize, "status ", hex(disk.transport().status()));
}

void check_resize() {
  ioapic::route(disk.irq(), kVector, lapic::id());
  const u32 generation = disk.transport().get(virtio::Register::kConfigGeneration);
  config_interrupts = 0;
  print("ready for resize\n");
  const bool came = wait_until([] { return config_interrupts > 0; }, kResizePatienceUs);
  const u64 capacity = disk.capacity();
  const u32 generation_now = disk.transport().get(virtio::Register::kConfigGeneration);
  print("capacity ", capacity, '\n');
  expect("events.resize", came && generation != generation_now, config_interrupts,
         " interrupts, generation ", generation, " to ", generation_now);
  expect_equal("events.resize_last_sector", disk.read(capacity - 1, data, 512), block::kOk);
  expect_equal("events.resize_behind_it", disk.read(capacity, data, 512), block::kIoError);
  ioapic::set_entry(disk.irq(), ioapic::kMasked);
}

u64 test(u64) {
  data = static_cast<u8*>(take_memory(u64{kSlots} * kSlotSize, 4096));
  check_io_apic();
  check_pic();

  ioapic::route(disk.irq(), kVector, lapic::id());
  check_suppression("events.suppressed_by_event_index");
  check_event_index();
  check_kicks("events.kicks");
  check_queue_reset();
  check_device_reset("events.device_reset");

  expect("events.start_plain", disk.start({.features = ~virtio::kEventIndex, .queues = queues}),
         "status ", hex(disk.transport().status()));
  check_delivery("events.each_interrupts", 0);
  check_suppression("events.suppressed_by_flag");
  check_kicks("events.kicks_by_flag");
  check_device_reset("events.device_reset_plain");
  if (find_value(line, "wait") == "resize") check_resize();
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  line = info.command_line;
  tsc_khz();
  if (!disk.find(info)) return;
  queues = static_cast<u16>(find_number(line, "queues", 1));
  lapic::enable();
  pic::initialise(kPicBase);
  set_interrupt_handler(kVector, on_disk);
  set_interrupt_handler(static_cast<u8>(kPicBase + disk.irq() % kPinsOfPic), on_disk);
  if (expect("events.start", disk.start({.queues = queues}), "status ",
             hex(disk.transport().status()))) {
    enable_interrupts();
    run_in_ring3(test, 0);
    disable_interrupts();
  }
  disk.transport().reset();
  done();
}

}  // namespace kit
