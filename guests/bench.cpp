// SPDX-License-Identifier: Apache-2.0
// bench: a hot loop, timed by the TSC. `work=spin|port|mmio|hlt`, `ring=3|0`, `iterations=N`,
// `address=A` for the port or the device address. Prints `result name value unit`.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/print.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

constexpr u8 kTimerVector = 0x40;

u64 address;  // of the port or the device register

// One loop of each kind; the argument counts its turns, the result is the TSC ticks they took.
u64 spin(u64 turns) {
  const u64 begin = rdtsc();
  for (u64 i = 0; i < turns; i++) asm volatile("" : "+r"(i));
  return rdtsc() - begin;
}

u64 read_port(u64 turns) {
  const auto port = static_cast<u16>(address);
  const u64 begin = rdtsc();
  for (u64 i = 0; i < turns; i++) in8(port);
  return rdtsc() - begin;
}

u64 read_mmio(u64 turns) {
  const u64 begin = rdtsc();
  for (u64 i = 0; i < turns; i++) mmio_read<u32>(address);
  return rdtsc() - begin;
}

// Sleep and be woken by the local APIC's timer, set to the shortest time it has.
u64 halt(u64 turns) {
  lapic::enable();
  set_interrupt_handler(kTimerVector, [](Frame&) { lapic::end_of_interrupt(); });
  lapic::write(lapic::Register::kTimer, kTimerVector);
  const u64 begin = rdtsc();
  for (u64 i = 0; i < turns; i++) {
    lapic::write(lapic::Register::kTimerInitialCount, 1);
    sleep_until_interrupt();
  }
  return rdtsc() - begin;
}

struct Work {
  std::string_view name;
  UserFunction loop;
  u64 turns;    // unless the command line says
  u64 address;  // unless the command line says: where no device is
  bool runs_in_ring3;
};

constexpr Work kWorks[] = {
    {"spin", spin, 1'000'000, 0, true},
    {"port", read_port, 2'000, 0x80, true},
    {"mmio", read_mmio, 2'000, 0xCFF00000, true},
    {"hlt", halt, 1'000, 0, false},
};

}  // namespace

void guest_main(const BootInfo& info) {
  const std::string_view line(info.command_line);
  std::string_view wanted = find_value(line, "work");
  if (wanted.empty()) wanted = "spin";
  for (const Work& work : kWorks) {
    if (work.name != wanted) continue;
    address = find_number(line, "address", work.address);
    const u64 turns = find_number(line, "iterations", work.turns);
    const bool in_ring3 = work.runs_in_ring3 && find_number(line, "ring", 3) == 3;
    const u64 ticks = in_ring3 ? run_in_ring3(work.loop, turns) : work.loop(turns);
    const u64 ns = tsc_to_ns(ticks);
    print("result tsc ", tsc_khz(), " kHz\n");
    print("result ", work.name, in_ring3 ? ".ring3" : ".ring0", ".total ", ns, " ns\n");
    print("result ", work.name, in_ring3 ? ".ring3" : ".ring0", ".turn ",
          turns == 0 ? 0 : multiply_divide(ns, 1000, turns), " ps\n");
    return;
  }
  print("FAIL bench: work=", wanted, " is none of spin, port, mmio, hlt\n");
}

}  // namespace kit
