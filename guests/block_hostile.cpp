// SPDX-License-Identifier: Apache-2.0
// block_hostile: chains and requests as no driver should make them. A broken chain has to put the
// device into DEVICE_NEEDS_RESET or to fail alone, as the case says; after each the device works
// again. `disk=N`. Destroys the first sectors of the disk, which has 16 MiB or more.
#include "guests/kit/arena.hpp"
#include "guests/kit/hostile.hpp"
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
using virtio::Descriptor;
using virtio::kDeviceWrites;
using virtio::kIndirect;
using virtio::kNext;

constexpr u32 kRefused = kReset | kError;
constexpr u32 kAnswered = kReset | kError | kOkay;

block::Disk disk;
hostile::Victim victim;
u64 ram_end;

// In the victim's page: what the chains are made of.
Header& header() {
  return *reinterpret_cast<Header*>(victim.page());
}
u8& status() {
  return victim.page()[64];
}
Descriptor* table() {
  return reinterpret_cast<Descriptor*>(victim.page() + 4096);
}
u64 at(const void* address) {
  return reinterpret_cast<u64>(address);
}
Descriptor& entry(u16 index) {
  return disk.queue().descriptor(index);
}
u16 queue_size() {
  return disk.queue().size();
}

// A proper request in `to`: header, 512 bytes of data, status. Cases spoil it.
void compose(Descriptor* to, Type type = Type::kRead) {
  header() = {type, 0, 16};
  const auto direction = static_cast<u16>(type == Type::kRead ? kDeviceWrites : 0);
  to[0] = {at(&header()), sizeof(Header), kNext, 1};
  to[1] = {at(victim.data()), 512, static_cast<u16>(kNext | direction), 2};
  to[2] = {at(&status()), 1, kDeviceWrites, 0};
}

struct Case {
  std::string_view name;
  u32 allowed;
  void (*spoil)(Descriptor* chain);  // of a read; a direct one may use its further entries
};

// Each runs in the queue itself and in an indirect table.
constexpr Case kChains[] = {
    {"proper", kOkay, [](Descriptor*) {}},
    {"loop_of_one", kReset, [](Descriptor* c) { c[0].next = 0; }},
    {"loop_of_two", kReset, [](Descriptor* c) { c[1].next = 0; }},
    {"loop_of_writable", kReset,
     [](Descriptor* c) {
       c[2].flags |= kNext;
       c[2].next = 1;
     }},
    {"next_is_far", kReset, [](Descriptor* c) { c[0].next = 0xFFFF; }},
    {"data_behind_ram", kRefused, [](Descriptor* c) { c[1].address = ram_end; }},
    {"data_across_the_end_of_ram", kRefused, [](Descriptor* c) { c[1].address = ram_end - 256; }},
    {"data_at_the_top", kRefused, [](Descriptor* c) { c[1].address = 0xFFFFFFFFFFFFFE00; }},
    {"data_wraps", kRefused, [](Descriptor* c) { c[1].address = 0xFFFFFFFFFFFFFF00; }},
    {"data_not_canonical", kRefused, [](Descriptor* c) { c[1].address = u64{1} << 63; }},
    {"data_in_the_device", kRefused, [](Descriptor* c) { c[1].address = disk.transport().base(); }},
    {"header_behind_ram", kRefused, [](Descriptor* c) { c[0].address = ram_end; }},
    {"header_wraps", kRefused, [](Descriptor* c) { c[0].address = 0xFFFFFFFFFFFFFFF8; }},
    {"status_behind_ram", kRefused, [](Descriptor* c) { c[2].address = ram_end; }},
    {"status_at_the_top", kRefused, [](Descriptor* c) { c[2].address = ~u64{0}; }},
    {"length_of_4_gib", kRefused, [](Descriptor* c) { c[1].length = 0xFFFFFFFF; }},
    {"length_of_2_gib", kRefused, [](Descriptor* c) { c[1].length = 0x80000000; }},
    {"header_of_4_gib", kRefused, [](Descriptor* c) { c[0].length = 0xFFFFFFFF; }},
    {"status_of_4_gib", kRefused, [](Descriptor* c) { c[2].length = 0xFFFFFFFF; }},
    {"header_writable", kRefused, [](Descriptor* c) { c[0].flags |= kDeviceWrites; }},
    {"read_into_readable", kAnswered, [](Descriptor* c) { c[1].flags = kNext; }},
    {"write_from_writable", kAnswered, [](Descriptor*) { header().type = Type::kWrite; }},
    {"status_readable", kRefused, [](Descriptor* c) { c[2].flags = 0; }},
    {"readable_behind_writable", kRefused,
     [](Descriptor* c) {
       c[2] = {at(victim.data() + 4096), 512, kNext, 3};
       c[3] = {at(&status()), 1, kDeviceWrites, 0};
     }},
    {"all_readable", kRefused,
     [](Descriptor* c) {
       c[1].flags = kNext;
       c[2].flags = 0;
     }},
    {"only_a_header", kRefused, [](Descriptor* c) { c[0].flags = 0; }},
    {"only_a_status", kRefused, [](Descriptor* c) { c[0] = c[2]; }},
    {"status_missing", kRefused, [](Descriptor* c) { c[1].flags = kDeviceWrites; }},
    {"header_of_15", kRefused, [](Descriptor* c) { c[0].length = 15; }},
    {"header_of_8", kRefused, [](Descriptor* c) { c[0].length = 8; }},
    {"header_of_0", kRefused, [](Descriptor* c) { c[0].length = 0; }},
    {"header_of_17", kAnswered, [](Descriptor* c) { c[0].length = 17; }},
    {"data_of_0", kAnswered, [](Descriptor* c) { c[1].length = 0; }},
    {"status_of_0", kRefused, [](Descriptor* c) { c[2].length = 0; }},
    {"no_data", kAnswered, [](Descriptor* c) { c[1] = c[2]; }},
    {"id_into_one_byte", kAnswered,
     [](Descriptor* c) {
       header().type = Type::kGetId;
       c[1].length = 1;
     }},
    {"unknown_flags", kAnswered, [](Descriptor* c) { c[1].flags |= 0xFFF8; }},
    {"header_is_data", kAnswered, [](Descriptor* c) { c[1].address = at(&header()); }},
    {"status_is_header", kAnswered, [](Descriptor* c) { c[2].address = at(&header()); }},
    {"data_is_the_table", kAnswered, [](Descriptor* c) { c[1].address = at(c); }},
};

u32 kick_and_watch() {
  disk.transport().notify(0);
  return victim.watch(&status());
}

u32 offer_and_watch() {
  disk.queue().offer_raw(0);
  disk.queue().publish();
  return kick_and_watch();
}

u32 run_direct(const Case& test) {
  compose(&entry(0));
  test.spoil(&entry(0));
  return offer_and_watch();
}

u32 run_indirect(const Case& test) {
  compose(table());
  test.spoil(table());
  // Longer than the chain, with room for cases that go on behind it.
  const u32 entries = queue_size() < 16 ? queue_size() : 16;
  entry(0) = {at(table()), static_cast<u32>(entries * sizeof(Descriptor)), kIndirect, 0};
  return offer_and_watch();
}

struct Special {
  std::string_view name;
  u32 allowed;
  u32 (*run)();  // on a fresh queue; the result is what was seen
};

// A proper chain, and the index of the available ring `ahead` of it.
u32 jump(u16 ahead) {
  compose(&entry(0));
  disk.queue().offer_raw(0);
  disk.queue().jump_available(ahead);
  return kick_and_watch();
}

u32 offer_head(u16 head) {
  compose(&entry(0));
  disk.queue().offer_raw(head);
  disk.queue().publish();
  return kick_and_watch();
}

// A proper chain in the table, described by the queue's first entry as the case wants it.
u32 run_table(u64 address, u32 length, u16 flags = kIndirect) {
  compose(table());
  entry(0) = {address, length, flags, 1};
  return offer_and_watch();
}

// `count` pieces of the same memory between header and status, in the table.
u32 run_long(Type type, u32 count, u32 piece) {
  compose(table(), type);
  const Descriptor data = table()[1];
  for (u32 i = 1; i <= count; i++) {
    table()[i] = {data.address, piece, data.flags, static_cast<u16>(i + 1)};
  }
  table()[count + 1] = {at(&status()), 1, kDeviceWrites, 0};
  entry(0) = {at(table()), static_cast<u32>((count + 2) * sizeof(Descriptor)), kIndirect, 0};
  return offer_and_watch();
}

constexpr u32 kThree = 3 * sizeof(Descriptor);

constexpr Special kSpecials[] = {
    {"head_is_the_size", kReset, [] { return offer_head(queue_size()); }},
    {"head_is_far", kReset, [] { return offer_head(0xFFFF); }},
    {"next_is_the_size", kReset,
     [] {
       compose(&entry(0));
       entry(0).next = queue_size();
       return offer_and_watch();
     }},
    {"index_jumps_by_the_size", kReset, [] { return jump(queue_size()); }},
    {"index_jumps_far", kReset, [] { return jump(0x8000); }},
    {"index_goes_back", kReset, [] { return jump(0xFFFE); }},
    {"one_head_everywhere", kAnswered,
     [] {
       compose(&entry(0));
       for (u16 i = 1; i < queue_size(); i++) disk.queue().offer_raw(0);
       return offer_and_watch();
     }},
    {"table_of_0", kReset, [] { return run_table(at(table()), 0); }},
    {"table_of_8", kReset, [] { return run_table(at(table()), 8); }},
    {"table_of_40", kReset, [] { return run_table(at(table()), 40); }},
    {"table_of_4_gib", kReset, [] { return run_table(at(table()), 0xFFFFFFF0); }},
    {"table_behind_ram", kReset, [] { return run_table(ram_end, kThree); }},
    {"table_across_the_end_of_ram", kReset, [] { return run_table(ram_end - 16, kThree); }},
    {"table_wraps", kReset, [] { return run_table(0xFFFFFFFFFFFFFFF0, kThree); }},
    {"table_is_cut", kReset, [] { return run_table(at(table()), 2 * sizeof(Descriptor)); }},
    // [Virtio 1.2 2.7.5.3.2] wants the next two to work.
    {"table_writable", kOkay,
     [] { return run_table(at(table()), kThree, kIndirect | kDeviceWrites); }},
    {"table_behind_direct", kOkay,
     [] {
       compose(table());
       table()[1].next = 1;
       table()[2].next = 0;
       entry(0) = {at(&header()), sizeof(Header), kNext, 1};
       entry(1) = {at(table() + 1), 2 * sizeof(Descriptor), kIndirect, 0};
       return offer_and_watch();
     }},
    {"table_with_next", kAnswered,
     [] { return run_table(at(table()), kThree, kIndirect | kNext); }},
    {"table_in_table", kReset,
     [] {
       compose(table() + 64);
       table()[0] = {at(table() + 64), kThree, kIndirect, 0};
       entry(0) = {at(table()), sizeof(Descriptor), kIndirect, 0};
       return offer_and_watch();
     }},
    {"table_is_itself", kReset,
     [] {
       table()[0] = {at(table()), sizeof(Descriptor), kIndirect, 0};
       entry(0) = {at(table()), sizeof(Descriptor), kIndirect, 0};
       return offer_and_watch();
     }},
    {"table_not_negotiated", kAnswered,
     [] {
       disk.start({.features = ~virtio::kIndirectDescriptors});
       return run_table(at(table()), kThree);
     }},
    {"read_of_50_mib", kAnswered, [] { return run_long(Type::kRead, 200, kMiB / 4); }},
    {"longer_than_the_queue", kAnswered, [] { return run_long(Type::kRead, 2000, 512); }},
    {"write_of_many_gib", kRefused,
     [] {
       return run_long(Type::kWrite, 250, static_cast<u32>(ram_end - at(victim.data())) & ~511U);
     }},
    {"discard_of_65536_ranges", kRefused, [] { return run_long(Type::kDiscard, 1, kMiB); }},
    {"flush_with_data", kAnswered, [] { return run_long(Type::kFlush, 4, 4096); }},
};

u64 test(u64) {
  if (!expect("hostile.prepare", victim.prepare(disk), "see above")) return 0;
  for (const Case& test : kChains) {
    status() = block::kNoAnswer;
    victim.judge("direct", test.name, run_direct(test), test.allowed);
  }
  for (const Case& test : kChains) {
    status() = block::kNoAnswer;
    victim.judge("indirect", test.name, run_indirect(test), test.allowed);
  }
  for (const Special& test : kSpecials) {
    status() = block::kNoAnswer;
    victim.judge("queue", test.name, test.run(), test.allowed);
  }
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  tsc_khz();
  if (!disk.find(info)) return;
  ram_end = end_of_ram();
  run_in_ring3(test, 0);
  disk.transport().reset();
  done();
}

}  // namespace kit
