// SPDX-License-Identifier: Apache-2.0
// net_hostile: headers that lie and chains as no driver should make them, in both directions. A
// frame may be dropped or the device may ask for a reset, as the case says; after each it works
// again. `net=N`. Wants a host end that returns frames (the tests' reflector).
#include "guests/kit/arena.hpp"
#include "guests/kit/net_victim.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

using net::Header;
using net::kHeaderSize;
using net_victim::kReset;
using net_victim::kSilence;
using net_victim::kUsed;
using virtio::Descriptor;
using virtio::kDeviceWrites;
using virtio::kIndirect;
using virtio::kNext;

constexpr u32 kDropped = kReset | kUsed;
constexpr u32 kAny = kReset | kUsed | kSilence;
constexpr u16 kReceive = net::Interface::receive_index(0);
constexpr u16 kTransmit = net::Interface::transmit_index(0);
constexpr u32 kPayload = 1000;

net::Interface nic;
net_victim::Victim victim;
u64 ram_end;

// In the victim's memory: what the chains are made of.
Header& header() {
  return *reinterpret_cast<Header*>(victim.page());
}
Descriptor* table() {
  return reinterpret_cast<Descriptor*>(victim.page() + 4096);
}
u64 at(const void* address) {
  return reinterpret_cast<u64>(address);
}
Descriptor& entry(u16 queue, u16 index) {
  return nic.queue(queue).descriptor(index);
}

u32 offer_and_watch(u16 queue, u64 patience_us = 500'000) {
  nic.queue(queue).offer_raw(0);
  nic.queue(queue).publish();
  nic.transport().notify(queue);
  return victim.watch(queue, patience_us);
}

// Headers. The frame is a proper TCP segment, in one descriptor behind the header's.

struct Lie {
  std::string_view name;
  u32 size;  // of the frame
  void (*tell)(Header& header);
};

constexpr u32 kFrame = reflect::kTcpHeaders + kPayload;
constexpr u32 kLarge = reflect::kTcpHeaders + 60'000;

constexpr Lie kLies[] = {
    {"proper", kFrame, [](Header&) {}},
    {"all_bits", kFrame, [](Header& h) { __builtin_memset(&h, 0xFF, sizeof(h)); }},
    {"flags_all_bits", kFrame, [](Header& h) { h.flags = 0xFF; }},
    {"flags_unknown", kFrame, [](Header& h) { h.flags |= 0xF8; }},
    {"data_is_valid", kFrame, [](Header& h) { h.flags = net::kDataValid; }},
    {"gso_type_2", kLarge, [](Header& h) { h.gso_type = 2; }},
    {"gso_type_ufo", kLarge, [](Header& h) { h.gso_type = net::kGsoUdp; }},
    {"gso_type_6", kLarge, [](Header& h) { h.gso_type = 6; }},
    {"gso_type_all_bits", kLarge, [](Header& h) { h.gso_type = 0xFF; }},
    {"gso_only_ecn", kLarge, [](Header& h) { h.gso_type = net::kGsoEcn; }},
    {"gso_is_tcp6", kLarge, [](Header& h) { h.gso_type = net::kGsoTcp6; }},
    {"gso_is_udp", kLarge, [](Header& h) { h.gso_type = net::kGsoUdpL4; }},
    {"gso_size_0", kLarge, [](Header& h) { h.gso_size = 0; }},
    {"gso_size_1", kLarge, [](Header& h) { h.gso_size = 1; }},
    {"gso_size_65535", kLarge, [](Header& h) { h.gso_size = 0xFFFF; }},
    {"gso_of_a_small_frame", kFrame, [](Header& h) { h.gso_type = net::kGsoTcp4; }},
    {"gso_without_checksum", kLarge, [](Header& h) { h.flags = 0; }},
    {"gso_size_without_type", kFrame, [](Header& h) { h.gso_size = 1448; }},
    {"large_without_gso", kLarge, [](Header& h) { h.gso_type = net::kNoGso; }},
    {"header_length_0", kLarge, [](Header& h) { h.header_length = 0; }},
    {"header_length_1", kLarge, [](Header& h) { h.header_length = 1; }},
    {"header_length_65535", kLarge, [](Header& h) { h.header_length = 0xFFFF; }},
    {"header_length_behind_the_frame", kFrame, [](Header& h) { h.header_length = 2000; }},
    {"checksum_at_the_end", kFrame, [](Header& h) { h.checksum_start = kFrame; }},
    {"checksum_across_the_end", kFrame,
     [](Header& h) {
       h.checksum_start = kFrame - 2;
       h.checksum_offset = 1;
     }},
    {"checksum_start_65535", kFrame, [](Header& h) { h.checksum_start = 0xFFFF; }},
    {"checksum_offset_65535", kFrame, [](Header& h) { h.checksum_offset = 0xFFFF; }},
    {"checksum_wraps", kFrame,
     [](Header& h) {
       h.checksum_start = 0xFFFF;
       h.checksum_offset = 0xFFFF;
     }},
    {"checksum_in_the_addresses", kFrame,
     [](Header& h) {
       h.checksum_start = 0;
       h.checksum_offset = 0;
     }},
    {"checksum_fields_without_the_flag", kFrame,
     [](Header& h) {
       h.flags = 0;
       h.checksum_start = 0xFFFF;
     }},
    {"num_buffers", kFrame, [](Header& h) { h.buffers = 0xFFFF; }},
};

void check_lies(std::string_view group, u64 features) {
  for (const Lie& lie : kLies) {
    if (features != ~u64{0}) nic.start({.features = features});
    const bool is_large = lie.size == kLarge;
    header() = reflect::compose_tcp(nic, victim.data(), lie.size - reflect::kTcpHeaders,
                                    is_large ? u16{1448} : u16{0});
    lie.tell(header());
    entry(kTransmit, 0) = {at(&header()), kHeaderSize, kNext, 1};
    entry(kTransmit, 1) = {at(victim.data()), lie.size, 0, 0};
    victim.judge(group, lie.name, offer_and_watch(kTransmit), kDropped);
  }
}

// Runts and giants.
void check_frame_sizes() {
  for (const u32 size :
       {0U, 1U, 6U, 12U, 13U, 14U, 17U, 59U, 65549U, 65550U, 65551U, 70000U, 0x100000U}) {
    nic.start({});
    __builtin_memset(victim.data(), 0, 64);
    __builtin_memset(&header(), 0, kHeaderSize);
    frame::write_ethernet(victim.data(), frame::kReflector, nic.mac(), frame::kExperimental);
    entry(kTransmit, 0) = {at(&header()), kHeaderSize, size == 0 ? u16{0} : kNext, 1};
    entry(kTransmit, 1) = {at(victim.data()), size, 0, 0};
    print("size ", size, '\n');
    victim.judge("size", size < 60 ? "runt" : "giant", offer_and_watch(kTransmit), kDropped);
  }
}

// Chains. A proper one of a transmission in `to`: header, two pieces.
void compose(Descriptor* to) {
  header() = {};
  reflect::compose(nic, victim.data(), kPayload, 77);
  to[0] = {at(&header()), kHeaderSize, kNext, 1};
  to[1] = {at(victim.data()), 400, kNext, 2};
  to[2] = {at(victim.data() + 400), kPayload - 400, 0, 0};
}
// The same for reception.
void compose_receive(Descriptor* to) {
  compose(to);
  for (u32 i = 0; i < 3; i++) to[i].flags |= kDeviceWrites;
  to[2].length = 1600;
}

struct Case {
  std::string_view name;
  u32 allowed;  // of a transmission; a reception may always be silent or used as well
  void (*spoil)(Descriptor* chain);
};

constexpr Case kChains[] = {
    {"proper", kUsed, [](Descriptor*) {}},
    {"loop_of_one", kReset, [](Descriptor* c) { c[0].next = 0; }},
    {"loop_of_two", kReset, [](Descriptor* c) { c[1].next = 0; }},
    {"next_is_far", kReset, [](Descriptor* c) { c[0].next = 0xFFFF; }},
    {"wrong_direction", kDropped, [](Descriptor* c) { c[2].flags ^= kDeviceWrites; }},
    {"header_of_wrong_direction", kDropped, [](Descriptor* c) { c[0].flags ^= kDeviceWrites; }},
    {"all_of_wrong_direction", kDropped,
     [](Descriptor* c) {
       for (u32 i = 0; i < 3; i++) c[i].flags ^= kDeviceWrites;
     }},
    {"data_behind_ram", kDropped, [](Descriptor* c) { c[1].address = ram_end; }},
    {"data_across_the_end_of_ram", kDropped, [](Descriptor* c) { c[1].address = ram_end - 200; }},
    {"data_at_the_top", kDropped, [](Descriptor* c) { c[1].address = 0xFFFFFFFFFFFFFE00; }},
    {"data_wraps", kDropped, [](Descriptor* c) { c[1].address = 0xFFFFFFFFFFFFFF00; }},
    {"data_not_canonical", kDropped, [](Descriptor* c) { c[2].address = u64{1} << 63; }},
    {"data_in_the_device", kDropped, [](Descriptor* c) { c[1].address = nic.transport().base(); }},
    {"header_behind_ram", kDropped, [](Descriptor* c) { c[0].address = ram_end; }},
    {"header_wraps", kDropped, [](Descriptor* c) { c[0].address = 0xFFFFFFFFFFFFFFF8; }},
    {"length_of_4_gib", kDropped, [](Descriptor* c) { c[1].length = 0xFFFFFFFF; }},
    {"length_of_2_gib", kDropped, [](Descriptor* c) { c[2].length = 0x80000000; }},
    {"header_of_4_gib", kDropped, [](Descriptor* c) { c[0].length = 0xFFFFFFFF; }},
    {"lengths_that_sum_to_little", kDropped,
     [](Descriptor* c) {
       c[1].length = 0xFFFFFF00;
       c[2].length = 0x200;
     }},
    {"header_alone", kDropped, [](Descriptor* c) { c[0].flags &= kDeviceWrites; }},
    {"header_of_11", kDropped,
     [](Descriptor* c) {
       c[0].length = 11;
       c[0].flags &= kDeviceWrites;
     }},
    {"header_of_1", kDropped,
     [](Descriptor* c) {
       c[0].length = 1;
       c[0].flags &= kDeviceWrites;
     }},
    {"nothing", kDropped,
     [](Descriptor* c) {
       c[0].length = 0;
       c[0].flags &= kDeviceWrites;
     }},
    {"pieces_of_0", kDropped,
     [](Descriptor* c) {
       c[0].length = 0;
       c[1].length = 0;
       c[2].length = 0;
     }},
    {"unknown_flags", kDropped, [](Descriptor* c) { c[1].flags |= 0xFFF8; }},
    {"header_is_data", kDropped, [](Descriptor* c) { c[1].address = at(&header()); }},
    {"data_is_the_table", kDropped, [](Descriptor* c) { c[1].address = at(c); }},
};

void describe_table(u16 queue) {
  entry(queue, 0) = {at(table()), 16 * sizeof(Descriptor), kIndirect, 0};
}

void check_transmit_chains() {
  for (const Case& test : kChains) {
    compose(&entry(kTransmit, 0));
    test.spoil(&entry(kTransmit, 0));
    victim.judge("transmit", test.name, offer_and_watch(kTransmit), test.allowed);
  }
  for (const Case& test : kChains) {
    compose(table());
    test.spoil(table());
    describe_table(kTransmit);
    victim.judge("transmit_indirect", test.name, offer_and_watch(kTransmit), test.allowed);
  }
}

// Ten chains, all alike, in a receive queue that has no others; then a frame comes.
u32 offer_receive_and_watch() {
  for (u32 i = 0; i < 10; i++) nic.queue(kReceive).offer_raw(0);
  nic.queue(kReceive).publish();
  nic.transport().notify(kReceive);
  reflect::compose(nic, reflect::scratch(), kPayload, 5);
  nic.send(reflect::scratch(), kPayload);
  return victim.watch(kReceive, 30'000);
}

void check_receive_chains(std::string_view group, u64 features, bool is_indirect) {
  for (const Case& test : kChains) {
    nic.start({.features = features, .buffers = 0});
    Descriptor* chain = is_indirect ? table() : &entry(kReceive, 0);
    compose_receive(chain);
    test.spoil(chain);
    if (is_indirect) describe_table(kReceive);
    victim.judge(group, test.name, offer_receive_and_watch(),
                 test.allowed == kReset ? kReset : kAny);
  }
}

u64 test(u64) {
  if (!expect("hostile.prepare", victim.prepare(nic), "see above")) return 0;
  check_lies("header", ~u64{0});
  check_lies("header_not_agreed", ~(net::kHasChecksum | net::kTakesLarge));
  check_frame_sizes();
  check_transmit_chains();
  check_receive_chains("receive", ~u64{0}, false);
  check_receive_chains("receive_indirect", ~u64{0}, true);
  check_receive_chains("receive_unmerged", ~net::kMergesBuffers, false);
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  tsc_khz();
  if (!nic.find(info)) return;
  ram_end = end_of_ram();
  run_in_ring3(test, 0);
  nic.transport().reset();
  done();
}

}  // namespace kit
