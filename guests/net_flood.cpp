// SPDX-License-Identifier: Apache-2.0
// net_flood: the network sends and the guest does not read. Prints `deaf`, then a line `tick N`
// every 20 ms for `milliseconds=2000`, with a read of the first disk before each (`disk` says that
// there is one); then `hears`, takes what waited and prints how it went, and sends a frame that a
// host end returns. `net=N`, `depth=64` receive buffers. The monitor has to serve all else
// meanwhile.
#include "guests/kit/arena.hpp"
#include "guests/kit/block.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/reflect.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

constexpr u64 kTickUs = 20'000;
constexpr u64 kHearUs = 200'000;

net::Interface nic;
block::Disk disk;
bool has_disk;
u64 milliseconds;

void be_deaf() {
  auto* sector = static_cast<u8*>(take_memory(block::kSectorSize, 4096));
  u64 slowest_read = 0;
  u64 slowest_tick = 0;
  u32 failed = 0;
  const u64 ticks = milliseconds * 1000 / kTickUs;
  for (u64 i = 0; i < ticks; i++) {
    const Deadline next(kTickUs);
    const u64 begin = rdtsc();
    if (has_disk) failed += disk.read(i % 64, sector, block::kSectorSize) != block::kOk;
    const u64 middle = rdtsc();
    print("tick ", i, '\n');
    const u64 end = rdtsc();
    if (middle - begin > slowest_read) slowest_read = middle - begin;
    if (end - middle > slowest_tick) slowest_tick = end - middle;
    while (!next.has_passed()) pause();
  }
  print("hears\n");
  print("result slowest_read ", tsc_to_ns(slowest_read) / 1000, " us\n");
  print("result slowest_print ", tsc_to_ns(slowest_tick) / 1000, " us\n");
  expect("flood.disk", failed == 0, failed, " reads fail");
}

u64 test(u64) {
  if (!reflect::returns(nic, 100, 1)) print("no host end returns frames\n");
  print("deaf\n");
  be_deaf();
  net::Packet packet{};
  u64 frames = 0;
  const Deadline deadline(kHearUs);
  while (!deadline.has_passed()) frames += nic.receive(packet);
  print("result waited ", frames, " count\n");
  expect("flood.frames_waited", frames > 0, "none");
  expect("flood.well_formed", nic.malformed() == 0, nic.malformed_reason());
  return 0;
}

// By the end of it the flood is over.
u64 speak(u64) {
  bool is_back = false;
  for (u32 i = 0; i < 20 && !is_back; i++) {
    is_back = reflect::returns(nic, 100, 2 + i);
  }
  expect("flood.goes_on", is_back, "see above");
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  const std::string_view line(info.command_line);
  tsc_khz();
  milliseconds = find_number(line, "milliseconds", 2000);
  has_disk = has_word(line, "disk");
  if (!nic.find(info) || (has_disk && (!disk.find(info) || !disk.start()))) return;
  const auto depth = static_cast<u16>(find_number(line, "depth", 64));
  if (expect("flood.start", nic.start({.buffers = depth}), hex(nic.transport().status()))) {
    run_in_ring3(test, 0);
    print("quiet, please\n");
    run_in_ring3(speak, 0);
  }
  nic.transport().reset();
  done();
}

}  // namespace kit
