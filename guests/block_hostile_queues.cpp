// SPDX-License-Identifier: Apache-2.0
// block_hostile_queues: rings, registers and notifications as no driver should use them. What the
// specification leaves open is open here; the device has to work again after a reset, and must not
// write where nobody pointed. `disk=N`, `queues=N`. Destroys the first sectors of the disk, which
// has 16 MiB or more.
#include "guests/kit/arena.hpp"
#include "guests/kit/hostile.hpp"
#include "guests/kit/pattern.hpp"
#include "guests/kit/report.hpp"
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
using virtio::Register;
using virtio::RingAddresses;

constexpr u32 kAny = kReset | kError | kOkay | kSilence;
constexpr u32 kNotServed = kReset | kSilence;

block::Disk disk;
hostile::Victim victim;
u64 ram_end;
u16 queues;

const virtio::Transport& device() {
  return disk.transport();
}
u8& status() {
  return victim.page()[64];
}

// A proper read in the queue's first three entries, offered and published.
void offer_read() {
  auto& header = *reinterpret_cast<Header*>(victim.page());
  header = {Type::kRead, 0, 16};
  status() = block::kNoAnswer;
  virtio::Virtqueue& queue = disk.queue();
  queue.descriptor(0) = {reinterpret_cast<u64>(&header), sizeof(header), virtio::kNext, 1};
  queue.descriptor(1) = {reinterpret_cast<u64>(victim.data()), 512,
                         virtio::kNext | virtio::kDeviceWrites, 2};
  queue.descriptor(2) = {reinterpret_cast<u64>(&status()), 1, virtio::kDeviceWrites, 0};
  queue.offer_raw(0);
  queue.publish();
}

// Half a second for what has to be served, less where silence is an answer as well.
u32 read_and_watch(u32 allowed) {
  offer_read();
  device().notify(0);
  return victim.watch(&status(), (allowed & kSilence) != 0 ? 20'000 : 500'000);
}

// Features are agreed; the queue is set up as the case says and everything goes on from there.
u32 run_with(u32 size, const RingAddresses& rings, u32 allowed) {
  disk.negotiate(~u64{0});
  device().set_up_queue(0, size, rings);
  device().add_status(virtio::kDriverOk);
  return read_and_watch(allowed);
}

// The good rings with one part elsewhere.
RingAddresses moved(u64 RingAddresses::* part, u64 address) {
  RingAddresses rings = disk.queue().rings();
  rings.*part = address;
  return rings;
}

struct Part {
  std::string_view name;
  u64 RingAddresses::* address;
  u64 size;  // of 16 entries
};
constexpr Part kParts[] = {{"descriptors", &RingAddresses::descriptors, 256},
                           {"available", &RingAddresses::available, 38},
                           {"used", &RingAddresses::used, 134}};

void check_ring_addresses() {
  for (const Part& part : kParts) {
    const auto run = [&part](std::string_view group, u64 address, u32 allowed) {
      victim.judge(group, part.name, run_with(16, moved(part.address, address), allowed), allowed);
    };
    const u64 good = disk.queue().rings().*part.address;
    run("behind_ram", ram_end, kNotServed);
    run("across_the_end_of_ram", ram_end - 16, kNotServed);
    run("at_the_top", 0xFFFFFFFFFFFFFFF0, kNotServed);
    run("wraps", 0 - part.size + 2, kNotServed);
    run("in_the_device", device().base(), kNotServed);
    run("misaligned", good + 1, kAny);
  }
  // Rings over each other: the device writes where it reads.
  const RingAddresses rings = disk.queue().rings();
  constexpr std::string_view kOver = "over";
  victim.judge(kOver, "used_over_available",
               run_with(16, moved(&RingAddresses::used, rings.available), kAny), kAny);
  victim.judge(kOver, "used_over_descriptors",
               run_with(16, moved(&RingAddresses::used, rings.descriptors), kAny), kAny);
  victim.judge(kOver, "all_in_one",
               run_with(16, {rings.descriptors, rings.descriptors, rings.descriptors}, kAny), kAny);
}

void check_sizes() {
  const u32 max = device().queue_size_max(0);
  const RingAddresses rings = disk.queue().rings();
  struct Size {
    std::string_view name;
    u32 size;
  };
  for (const Size& test :
       {Size{"zero", 0}, Size{"three", 3}, Size{"above_max", 2 * max}, Size{"far_above", 0x10000},
        Size{"top_bit", 0x80000000}, Size{"all_bits", 0xFFFFFFFF}}) {
    victim.judge("size", test.name, run_with(test.size, rings, kAny), kAny);
  }
}

// A queue in use: its registers are written again, then it has to serve what is offered, or to ask
// for a reset.
void check_live_registers() {
  constexpr u32 kServedOrReset = kOkay | kReset;
  const auto run = [](std::string_view name, u32 allowed, void (*change)()) {
    change();
    victim.judge("live", name, read_and_watch(allowed), allowed);
  };
  run("ready_twice", kServedOrReset, [] { device().set(Register::kQueueReady, 1); });
  run("descriptors", kAny, [] { device().set(Register::kQueueDescriptorsHigh, 0xFFFF); });
  run("available", kAny, [] { device().set(Register::kQueueAvailableLow, 0x1000); });
  run("used", kAny, [] { device().set(Register::kQueueUsedHigh, 0x80000000); });
  run("size", kAny, [] { device().set(Register::kQueueSize, 1); });
  run("not_ready", kAny, [] { device().set(Register::kQueueReady, 0); });
  run("ready_of_all_bits", kAny, [] { device().set(Register::kQueueReady, 0xFFFFFFFF); });
  run("reset_of_all_bits", kAny, [] { device().set(Register::kQueueReset, 0xFFFFFFFF); });
  run("reset_of_no_queue", kServedOrReset, [] {
    device().set(Register::kQueueSelect, 0xFFFFFFFF);
    device().set(Register::kQueueReset, 1);
    device().set(Register::kQueueReady, 1);
    device().set(Register::kQueueSize, 16);
  });
  run("features", kServedOrReset, [] {
    device().set(Register::kDriverFeaturesSelect, 0);
    device().set(Register::kDriverFeatures, 0);
  });
  run("features_select", kServedOrReset, [] {
    device().set(Register::kDriverFeaturesSelect, 0xFFFFFFFF);
    device().set(Register::kDriverFeatures, 0xFFFFFFFF);
    device().set(Register::kDeviceFeaturesSelect, 0xFFFFFFFF);
    device().get(Register::kDeviceFeatures);
  });
  run("status_bits_taken_back", kAny, [] { device().set(Register::kStatus, 1); });
  run("status_of_all_bits", kAny, [] { device().set(Register::kStatus, 0xFFFFFFFF); });
  run("acknowledge_all", kServedOrReset, [] { device().set(Register::kInterruptAck, 0xFFFFFFFF); });
}

void check_status_machine() {
  // Kicked before DRIVER_OK: nothing is consumed until then [Virtio 1.2 3.1.1].
  disk.negotiate(~u64{0});
  disk.start_queue(0, 16);
  offer_read();
  device().notify(0);
  const bool is_early = wait_until([] { return disk.queue().has_used(); }, 3'000);
  device().add_status(virtio::kDriverOk);
  device().notify(0);
  const u32 seen = victim.watch(&status());
  victim.judge("status", "kick_before_driver_ok", is_early ? kError : seen, kOkay | kReset);

  device().reset();
  device().set(Register::kStatus, virtio::kAcknowledge | virtio::kDriver | virtio::kDriverOk);
  disk.start_queue(0, 16);
  victim.judge("status", "driver_ok_without_features_ok", read_and_watch(kAny), kAny);

  device().reset();
  disk.start_queue(0, 16);
  victim.judge("status", "nothing_at_all", read_and_watch(kNotServed), kNotServed);

  disk.negotiate(~u64{0});
  device().add_status(virtio::kDriverOk);
  victim.judge("status", "no_queue", read_and_watch(kNotServed), kNotServed);

  // Features that are not offered must not be agreed on.
  const u64 offered = device().device_features();
  u32 agreed = 0;
  for (u32 bit = 0; bit < 64; bit++) {
    const u64 feature = virtio::feature(bit);
    if ((offered & feature) != 0) continue;
    device().reset();
    if (device().negotiate(virtio::kVersion1 | feature)) agreed++;
  }
  expect("status.features_not_offered", agreed == 0, agreed, " are agreed on");
  victim.judge("status", "no_features", device().reset() && device().negotiate(0) ? kOkay : kReset,
               kAny);
}

// 256 requests in flight on every queue, and a reset at once.
void check_reset_in_flight() {
  struct Slot {
    Header header;
    u8 status;
    virtio::Descriptor table[3];
  };
  constexpr u16 kSlots = 256;
  static Slot slots[kSlots];
  bool holds = true;
  for (u32 round = 0; round < 20 && holds; round++) {
    holds &= disk.start({.queues = queues});
    for (u16 i = 0; i < kSlots * queues; i++) {
      Slot& slot = slots[i % kSlots];
      slot.header = {Type::kRead, 0, u64{i} * 8};
      const virtio::Segment pieces[] = {
          virtio::readable(&slot.header),
          virtio::writable(victim.data() + u64{i} % kSlots * 4096, 4096),
          virtio::writable(&slot.status)};
      disk.submit(pieces, slot.table, static_cast<u16>(i % queues));
    }
    holds &= device().reset();
    __builtin_memset(victim.data(), 0x77, kMiB);
    const u64 same = find_other(victim.data(), kMiB, 0x77);
    if (same != kMiB) print("written behind the reset, at ", same, '\n');
    holds &= same == kMiB;
  }
  victim.judge("in_flight", "reset", holds ? kOkay : kError, kOkay);
}

void check_kicks() {
  for (u32 i = 0; i < 1000; i++) device().notify(i % queues);
  victim.judge("kicks", "empty_queues", read_and_watch(kOkay), kOkay);
  for (const u32 queue : {u32{queues}, 16U, 17U, 255U, 1024U, 0xFFFFU, 0x10000U, 0xFFFFFFFFU}) {
    // On the PCI bus the number makes the address.
    if (device().is_pci() && queue > 1024) continue;
    for (u32 i = 0; i < 20; i++) device().notify(queue);
  }
  victim.judge("kicks", "no_such_queue", read_and_watch(kOkay), kOkay | kReset);
  offer_read();
  for (u32 i = 0; i < 1000; i++) device().notify(0);
  victim.judge("kicks", "storm", victim.watch(&status()), kOkay);
  device().reset();
  for (u32 i = 0; i < 100; i++) device().notify(i % queues);
  victim.judge("kicks", "after_a_reset", kSilence, kSilence);
}

// Over MMIO registers are 32 bits wide and aligned; the configuration space is read by its fields'
// widths [Virtio 1.2 4.2.2.2]. All else may do anything, but not to the monitor.
void check_widths() {
  const u64 base = device().base();
  u32 wrong = 0;
  for (u32 i = 0; i < 36; i += 4) {
    const u32 word = device().config<u32>(i);
    for (u32 j = 0; j < 4; j++) wrong += device().config<u8>(i + j) != (word >> 8 * j & 0xFF);
    for (u32 j = 0; j < 4; j += 2) wrong += device().config<u16>(i + j) != (word >> 8 * j & 0xFFFF);
    if (wrong != 0) print("offset ", i, " word ", hex(word), ", wrong so far ", wrong, '\n');
  }
  expect("widths.config_space", wrong == 0, wrong, " parts differ from their word");

  for (u32 i = 0; i < 0x110; i += 7) {
    mmio_read<u8>(base + i);
    mmio_read<u16>(base + i);
    mmio_read<u32>(base + i);
    mmio_read<u64>(base + i);
  }
  for (const u32 end : {0x1000 - 1U, 0x1000 - 2U, 0x1000 - 4U, 0x1000 - 7U}) {
    mmio_read<u64>(base + end);
    mmio_read<u8>(base + end);
  }
  victim.judge("widths", "reads", read_and_watch(kOkay), kOkay | kReset);

  const u64 capacity = disk.capacity();
  for (u32 i = 0; i < 0x110; i += 5) {
    mmio_write<u8>(base + i, 0xFF);
    mmio_write<u16>(base + i, 0xFFFF);
    mmio_write<u64>(base + i, ~u64{0});
  }
  for (u32 i = 0; i < 0x140; i += 4) mmio_write<u32>(base + i, 0xFFFFFFFF);
  mmio_write<u64>(base + 0x1000 - 3, ~u64{0});
  victim.judge("widths", "writes", kOkay, kOkay);
  expect_equal("widths.magic", device().get(Register::kMagic), virtio::kMagicValue);
  expect_equal("widths.capacity", disk.capacity(), capacity);
}

u64 test(u64) {
  if (!expect("hostile.prepare", victim.prepare(disk), "see above")) return 0;
  check_ring_addresses();
  check_sizes();
  check_live_registers();
  check_status_machine();
  check_kicks();
  check_reset_in_flight();
  if (!device().is_pci()) check_widths();  // there the guest `pci` does so
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  tsc_khz();
  if (!disk.find(info)) return;
  queues = static_cast<u16>(find_number(info.command_line, "queues", 1));
  ram_end = end_of_ram();
  run_in_ring3(test, 0);
  disk.transport().reset();
  done();
}

}  // namespace kit
