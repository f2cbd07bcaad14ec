// SPDX-License-Identifier: Apache-2.0
// net_hostile_queues: commands of wrong sizes, rings, indices and kicks as no driver should use
// them, resets with frames in flight. The device works again after a reset, and does not write
// where nobody pointed. `net=N`, `pairs=N` as the monitor was told. Wants a host end that returns
// frames (the tests' reflector).
#include "guests/kit/arena.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/net_victim.hpp"
#include "guests/kit/pattern.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

using net::kHeaderSize;
using net_victim::kOkay;
using net_victim::kRefusal;
using net_victim::kReset;
using net_victim::kSilence;
using net_victim::kUsed;
using virtio::Descriptor;
using virtio::kDeviceWrites;
using virtio::kIndirect;
using virtio::kNext;
using virtio::RingAddresses;

constexpr u32 kBroken = kReset | kUsed;
constexpr u32 kAny = kReset | kUsed | kSilence | kOkay | kRefusal;
constexpr u16 kReceive = net::Interface::receive_index(0);
constexpr u16 kTransmit = net::Interface::transmit_index(0);
constexpr u8 kPoison = 0xA5;

net::Interface nic;
net_victim::Victim victim;
u64 ram_end;
u16 pairs;

const virtio::Transport& device() {
  return nic.transport();
}
u64 at(const void* address) {
  return reinterpret_cast<u64>(address);
}

// The control queue. A proper command, to set the offloads, in three descriptors; cases spoil it.
struct Command {
  u8 head[2];
  u8 answer;
  u64 data;
};
Command& command() {
  return *reinterpret_cast<Command*>(victim.page());
}

struct Case {
  std::string_view name;
  u32 allowed;
  void (*spoil)(Descriptor* chain);
};
constexpr u32 kRefused = kRefusal | kReset;

constexpr Case kCommands[] = {
    {"proper", kOkay, [](Descriptor*) {}},
    {"data_of_0", kRefused, [](Descriptor* c) { c[1].length = 0; }},
    {"data_of_1", kRefused, [](Descriptor* c) { c[1].length = 1; }},
    {"data_of_7", kRefused, [](Descriptor* c) { c[1].length = 7; }},
    {"data_of_9", kRefused | kOkay, [](Descriptor* c) { c[1].length = 9; }},
    {"data_of_64_kib", kRefused | kOkay, [](Descriptor* c) { c[1].length = 65536; }},
    {"data_of_4_gib", kRefused | kUsed, [](Descriptor* c) { c[1].length = 0xFFFFFFFF; }},
    {"data_behind_ram", kRefused | kUsed, [](Descriptor* c) { c[1].address = ram_end; }},
    {"no_data", kRefused, [](Descriptor* c) { c[0].next = 2; }},
    {"head_of_1", kRefused,
     [](Descriptor* c) {
       c[0].length = 1;
       c[0].next = 2;
     }},
    {"head_of_0", kRefused,
     [](Descriptor* c) {
       c[0].length = 0;
       c[0].next = 2;
     }},
    {"head_and_data_in_one", kOkay | kRefused,
     [](Descriptor* c) {
       auto* bytes = victim.page() + 256;
       __builtin_memcpy(bytes, command().head, 2);
       __builtin_memcpy(bytes + 2, &command().data, 8);
       c[0].address = at(bytes);
       c[0].length = 10;
       c[0].next = 2;
     }},
    {"answer_only", kBroken | kRefusal, [](Descriptor* c) { c[0] = c[2]; }},
    {"no_answer", kBroken, [](Descriptor* c) { c[1].flags = 0; }},
    {"answer_of_0", kBroken, [](Descriptor* c) { c[2].length = 0; }},
    {"answer_of_4_gib", kBroken | kRefusal | kOkay,
     [](Descriptor* c) { c[2].length = 0xFFFFFFFF; }},
    {"answer_readable", kBroken, [](Descriptor* c) { c[2].flags = 0; }},
    {"answer_behind_ram", kBroken, [](Descriptor* c) { c[2].address = ram_end; }},
    {"data_writable", kBroken | kRefusal, [](Descriptor* c) { c[1].flags |= kDeviceWrites; }},
    {"readable_behind_writable", kBroken | kRefusal,
     [](Descriptor* c) {
       c[2].flags |= kNext;
       c[2].next = 3;
       c[3] = {at(victim.data()), 8, 0, 0};
     }},
    {"loop", kReset, [](Descriptor* c) { c[1].next = 0; }},
    {"next_is_far", kReset, [](Descriptor* c) { c[0].next = 0xFFFF; }},
    {"class_unknown", kRefused, [](Descriptor*) { command().head[0] = 99; }},
    {"command_unknown", kRefused, [](Descriptor*) { command().head[1] = 99; }},
    {"pairs_of_8_bytes", kRefused | kOkay,
     [](Descriptor*) {
       command().head[0] = net::kClassMultiQueue;
       command().data = 1;
     }},
    {"pairs_of_1_byte", kRefused,
     [](Descriptor* c) {
       command().head[0] = net::kClassMultiQueue;
       command().data = 1;
       c[1].length = 1;
     }},
    {"announce_with_data", kRefused | kOkay,
     [](Descriptor*) { command().head[0] = net::kClassAnnounce; }},
};

u32 watch_command() {
  const u32 seen = victim.watch(nic.control_index());
  if (seen != kUsed) return seen;
  const u8 answer = __atomic_load_n(&command().answer, __ATOMIC_ACQUIRE);
  if (answer == net::kOk) return kOkay;
  return answer == net::kError ? kRefusal : kUsed;
}

u32 run_command(const Case& test, bool is_indirect) {
  const u16 index = nic.control_index();
  auto* table = reinterpret_cast<Descriptor*>(victim.page() + 4096);
  Descriptor* chain = is_indirect ? table : &nic.queue(index).descriptor(0);
  command() = {
      {net::kClassOffloads, net::kSetOffloads}, net::kNoAnswer, nic.features() & net::kSwitchable};
  chain[0] = {at(&command().head), 2, kNext, 1};
  chain[1] = {at(&command().data), 8, kNext, 2};
  chain[2] = {at(&command().answer), 1, kDeviceWrites, 0};
  test.spoil(chain);
  if (is_indirect) {
    nic.queue(index).descriptor(0) = {at(table), 16 * sizeof(Descriptor), kIndirect, 0};
  }
  nic.queue(index).offer_raw(0);
  nic.queue(index).publish();
  device().notify(index);
  return watch_command();
}

void check_commands() {
  if (!nic.has(net::kHasGuestOffloads)) return skip("command.proper", "not offered");
  for (const Case& test : kCommands) {
    victim.judge("command", test.name, run_command(test, false), test.allowed);
  }
  for (const Case& test : kCommands) {
    victim.judge("command_indirect", test.name, run_command(test, true), test.allowed);
  }
}

// A thousand commands, as fast as they are answered: the device goes on, the host is not asked to
// do more than it can.
void check_command_storm() {
  if (!nic.has(net::kHasGuestOffloads)) return;
  u32 refused = 0;
  for (u32 i = 0; i < 1000; i++) {
    const u64 offloads = i % 2 == 0 ? 0 : nic.features() & net::kSwitchable;
    refused += nic.control(net::kClassOffloads, net::kSetOffloads, &offloads, sizeof(offloads)) !=
               net::kOk;
  }
  victim.judge("command", "storm", refused == 0 ? kOkay : kRefusal, kOkay);
}

// Rings, of each of the three kinds of queues.

u16 queue_of(u32 kind) {
  return kind == 2 ? nic.control_index() : static_cast<u16>(kind);
}
constexpr std::string_view kKinds[] = {"receive", "transmit", "control"};
constexpr u32 kKindCount = 3;

/// Kicks a queue, after a frame for the receive queue is on its way.
u32 kick_and_watch(u16 queue, u64 patience_us) {
  device().notify(queue);
  if (queue == kReceive) {
    reflect::compose(nic, reflect::scratch(), 300, 1);
    nic.send(reflect::scratch(), 300);
  }
  return victim.watch(queue, patience_us);
}

void check_indices() {
  struct Jump {
    std::string_view name;
    u32 allowed;
    void (*make)(virtio::Virtqueue& queue);
  };
  constexpr Jump kJumps[] = {
      {"head_is_the_size", kReset,
       [](virtio::Virtqueue& queue) {
         queue.offer_raw(queue.size());
         queue.publish();
       }},
      {"head_is_far", kReset,
       [](virtio::Virtqueue& queue) {
         queue.offer_raw(0xFFFF);
         queue.publish();
       }},
      {"index_jumps_far", kReset, [](virtio::Virtqueue& queue) { queue.jump_available(0x8000); }},
      {"index_goes_back", kReset, [](virtio::Virtqueue& queue) { queue.jump_available(0xFFFE); }},
  };
  for (u32 kind = 0; kind < kKindCount; kind++) {
    for (const Jump& jump : kJumps) {
      nic.start({.buffers = 0});
      jump.make(nic.queue(queue_of(kind)));
      const u32 seen = kick_and_watch(queue_of(kind), 200'000);
      victim.judge(kKinds[kind], jump.name, seen, jump.allowed);
    }
  }
}

// Features are agreed, one queue has a part elsewhere, and everything goes on from there.
void check_ring_addresses() {
  struct Place {
    std::string_view name;
    u64 address;
  };
  const Place places[] = {{"behind_ram", ram_end},
                          {"across_the_end_of_ram", ram_end - 16},
                          {"at_the_top", 0xFFFFFFFFFFFFFFF0},
                          {"in_the_device", device().base()}};
  for (u32 kind = 0; kind < kKindCount; kind++) {
    const u16 queue = queue_of(kind);
    for (const Place& place : places) {
      for (u64 RingAddresses::* part :
           {&RingAddresses::descriptors, &RingAddresses::available, &RingAddresses::used}) {
        nic.negotiate(~u64{0});
        nic.start_queue(kReceive, 16);
        nic.start_queue(kTransmit, 16);
        RingAddresses rings = nic.queue(queue).rings();
        rings.*part = place.address;
        device().set(virtio::Register::kQueueSelect, queue);
        device().set(virtio::Register::kQueueReady, 0);
        device().set_up_queue(queue, 16, rings);
        device().add_status(virtio::kDriverOk);
        nic.queue(queue).descriptor(0) = {at(victim.data()), 64,
                                          queue == kReceive ? kDeviceWrites : u16{0}, 0};
        nic.queue(queue).offer_raw(0);
        nic.queue(queue).publish();
        const u32 seen = kick_and_watch(queue, 5'000);
        victim.judge(kKinds[kind], place.name, seen, kAny);
      }
    }
  }
}

void check_kicks() {
  const auto queues = static_cast<u32>(nic.control_index() + 1);
  const auto frame_returns = [] { return reflect::returns(nic, 200, 9) ? kOkay : kSilence; };
  for (u32 i = 0; i < 2000; i++) device().notify(i % queues);
  victim.judge("kicks", "empty_queues", frame_returns(), kOkay);
  for (const u32 queue : {queues, 17U, 18U, 255U, 1024U, 0xFFFFU, 0x10000U, 0xFFFFFFFFU}) {
    for (u32 i = 0; i < 20; i++) device().notify(queue);
  }
  victim.judge("kicks", "no_such_queue", frame_returns(), kOkay);
  nic.start({});
  reflect::compose(nic, reflect::scratch(), 200, 9);
  nic.send(reflect::scratch(), 200);
  for (u32 i = 0; i < 2000; i++) device().notify(i % 2);
  net::Packet packet{};
  victim.judge(
      "kicks", "storm",
      reflect::await(nic, packet) && reflect::is_returned(packet, 200, 9) ? kOkay : kSilence,
      kOkay);
  device().reset();
  for (u32 i = 0; i < 200; i++) device().notify(i % queues);
  victim.judge("kicks", "after_a_reset", kSilence, kSilence);
}

// Receive buffers in the victim's memory and frames on their way, then a reset at once: the device
// is done with the memory, what is there stays there.
bool reset_is_clean(u32 wait_us) {
  constexpr u32 kBuffer = 2048;
  constexpr u16 kBuffers = 64;
  if (!nic.start({.buffers = 0})) return false;
  virtio::Virtqueue& queue = nic.receive_queue();
  for (u16 i = 0; i < kBuffers && i < queue.size(); i++) {
    queue.descriptor(i) = {at(victim.data() + u64{i} * kBuffer), kBuffer, kDeviceWrites, 0};
    queue.offer_raw(i);
  }
  nic.publish(kReceive);
  for (u64 i = 0; i < 30; i++) {
    reflect::compose(nic, reflect::scratch(), 1514, i);
    nic.send(reflect::scratch(), 1514);
  }
  const Deadline deadline(wait_us);
  while (!deadline.has_passed()) pause();
  if (!device().reset()) return false;
  __builtin_memset(victim.data(), kPoison, kMiB);
  const Deadline quiet(2'000);
  while (!quiet.has_passed()) pause();
  const u64 same = find_other(victim.data(), kMiB, kPoison);
  if (same != kMiB) print("written behind the reset, at ", same, '\n');
  return same == kMiB && device().get(virtio::Register::kInterruptStatus) == 0;
}

void check_reset_in_flight() {
  bool holds = true;
  for (u32 round = 0; round < 40 && holds; round++) holds = reset_is_clean(round * 13);
  victim.judge("in_flight", "reset", holds ? kOkay : kUsed, kOkay);
}

void check_pair_resets() {
  if (pairs == 1) return;
  bool holds = true;
  for (u32 round = 0; round < 10 && holds; round++) {
    holds = nic.start({.pairs = pairs});
    for (u16 i = 0; i < 4 * pairs && holds; i++) {
      const net::Header header = reflect::compose_udp(nic, reflect::scratch(), 500, 0, i);
      holds = nic.send(header, reflect::scratch(), reflect::kUdpHeaders + 500, i % pairs);
    }
    holds = holds && device().reset();
  }
  victim.judge("in_flight", "reset_of_pairs", holds ? kOkay : kUsed, kOkay);
}

u64 test(u64) {
  if (!expect("hostile.prepare", victim.prepare(nic), "see above")) return 0;
  check_commands();
  check_command_storm();
  check_indices();
  check_ring_addresses();
  check_kicks();
  check_reset_in_flight();
  check_pair_resets();
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  tsc_khz();
  pairs = static_cast<u16>(find_number(info.command_line, "pairs", 1));
  if (!nic.find(info)) return;
  ram_end = end_of_ram();
  run_in_ring3(test, 0);
  nic.transport().reset();
  done();
}

}  // namespace kit
