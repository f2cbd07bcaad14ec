// SPDX-License-Identifier: Apache-2.0
// ioapic: edge and level entries, masks, Remote-IRR and reprogramming, with COM1 on pin 4 as a line
// that the guest can raise (let the transmitter-empty interrupt in) and lower (shut it out).
#include "guests/kit/ioapic.hpp"

#include "guests/kit/boot_info.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/serial.hpp"
#include "guests/kit/smp.hpp"
#include "guests/kit/time.hpp"

namespace kit {
namespace {

constexpr u32 kPin = serial::kIrq;
constexpr u8 kVector = 0x44;
constexpr u8 kOtherVector = 0x54;
constexpr u32 kLevelEntry = ioapic::kLevel | kVector;
constexpr u64 kPatienceUs = 1'000'000;
constexpr u64 kQuietUs = 2'000;
constexpr u32 kNever = 1'000;  // deliveries, all lines are low before

// What the handler has to do and what it saw.
struct Plan {
  u32 lower_after;  // deliveries until the line is lowered
  u32 write_entry;  // written to the entry before the EOI, where not 0
};
volatile Plan plan;
volatile u32 deliveries;
volatile u32 other_deliveries;
volatile u32 entry_in_handler;  // at the first delivery
volatile bool is_in_service;    // the same
volatile u32 apic_id_in_handler;

void raise() {
  out8(serial::kInterruptEnable, serial::kEnableTransmitterEmpty);
}
void lower() {
  out8(serial::kInterruptEnable, 0);
}

// Some software KVM ends an interrupt when the vCPU takes it, not when the vCPU says so: a level
// that is still high is then delivered once more, whoever emulates the I/O APIC.
u32 extra_deliveries = 0;

u32 total() {
  return deliveries + other_deliveries;
}

void on_pin(Frame& frame) {
  constexpr u32 kBitsPerRegister = 32;
  const auto vector = static_cast<u32>(frame.vector);
  if (total() == 0) {
    const u32 offset = vector / kBitsPerRegister * 0x10;
    const u32 in_service =
        mmio_read<u32>(lapic::kBase + static_cast<u32>(lapic::Register::kInService) + offset);
    is_in_service = (in_service >> vector % kBitsPerRegister & 1) != 0;
    entry_in_handler = ioapic::entry(kPin);
  }
  if (vector == kVector) {
    deliveries = deliveries + 1;
  } else {
    other_deliveries = other_deliveries + 1;
  }
  apic_id_in_handler = lapic::id();
  if (total() >= plan.lower_after) lower();
  if (plan.write_entry != 0) ioapic::set_entry(kPin, plan.write_entry);
  lapic::end_of_interrupt();
}

void lower_and_mask() {
  lower();
  ioapic::set_entry(kPin, ioapic::kMasked);
}

void reset_counts() {
  deliveries = 0;
  other_deliveries = 0;
  entry_in_handler = 0;
}

// Starts from a low line, a masked entry and nothing pending.
void begin(u32 lower_after, u32 write_entry = 0) {
  lower_and_mask();
  enable_interrupts();
  wait_until([] { return (in8(serial::kLineStatus) & serial::kTransmitterEmpty) != 0; },
             kPatienceUs);
  disable_interrupts();
  plan.lower_after = lower_after;
  plan.write_entry = write_entry;
  reset_counts();
}

// Lets interrupts in until `count` were delivered, and a little longer to see that no more come.
bool delivers(u32 count, u32 extra = 0) {
  enable_interrupts();
  wait_until([count] { return total() >= count; }, kPatienceUs);
  const Deadline quiet(kQuietUs);
  while (!quiet.has_passed() && total() <= count + extra) pause();
  disable_interrupts();
  return total() >= count && total() <= count + extra;
}

bool delivers_level(u32 count) {
  return delivers(count, extra_deliveries);
}

// Printing moves the line, so it has to be shut out first.
template <class... Parts>
void finish(std::string_view name, bool holds, const Parts&... more) {
  lower_and_mask();
  expect(name, holds, total(), " deliveries, entry in the handler ", hex(entry_in_handler),
         more...);
}

void check_registers() {
  const u32 version = ioapic::read(ioapic::kVersion);
  expect("ioapic.version", (version & 0xFF) >= 0x11 && (version >> 16 & 0xFF) == 23, hex(version));
  ioapic::set_entry(kPin, ioapic::kMasked | ioapic::kRemoteIrr | ioapic::kDeliveryStatus | kVector);
  expect_equal("ioapic.read_only_bits", ioapic::entry(kPin), ioapic::kMasked | kVector);
  // An index past the last entry.
  ioapic::write(ioapic::kEntries + 2 * 24, 0);
  expect("ioapic.past_the_end", ioapic::entry(23) != 0, "the last entry changed");
}

void check_edge() {
  begin(1);
  ioapic::route(kPin, kVector, lapic::id());
  raise();
  const bool is_once = delivers(1);
  finish("ioapic.edge", is_once && (entry_in_handler & ioapic::kRemoteIrr) == 0);
  if (!is_in_service) {
    extra_deliveries = 1;
    skip("ioapic.in_service", "this host ends an interrupt when the vCPU takes it");
  }

  // The line stays high: no second edge, no second interrupt.
  begin(kNever);
  ioapic::set_entry(kPin, kVector);
  raise();
  finish("ioapic.edge_once", delivers(1));

  begin(1);
  raise();
  finish("ioapic.edge_masked", delivers(0));
}

void check_level() {
  begin(1);
  ioapic::set_entry(kPin, kLevelEntry);
  raise();
  finish("ioapic.level", delivers_level(1));

  begin(1);
  ioapic::set_entry(kPin, kLevelEntry);
  raise();
  delivers_level(1);
  const u32 entry_after = ioapic::entry(kPin);
  finish("ioapic.remote_irr_until_eoi",
         (entry_in_handler & ioapic::kRemoteIrr) != 0 && (entry_after & ioapic::kRemoteIrr) == 0,
         ", after it ", hex(entry_after));

  // The handler leaves the line high twice: each EOI brings the interrupt back, and then no more.
  begin(3);
  ioapic::set_entry(kPin, kLevelEntry);
  raise();
  finish("ioapic.level_repeats", delivers_level(3));

  // The line goes up while masked; opening the entry delivers.
  begin(1);
  ioapic::set_entry(kPin, ioapic::kMasked | kLevelEntry);
  raise();
  const bool is_quiet = delivers(0);
  ioapic::set_entry(kPin, kLevelEntry);
  finish("ioapic.level_unmask", is_quiet && delivers_level(1));

  // The same where the entry was one for edges when the line went up: a level is what it is now.
  begin(1);
  raise();
  ioapic::set_entry(kPin, kLevelEntry);
  finish("ioapic.level_after_the_edge", delivers_level(1));
}

void check_masks() {
  // Masked in the handler with the line still high: the EOI has to be seen, the storm has not.
  begin(kNever, ioapic::kMasked | kLevelEntry);
  ioapic::set_entry(kPin, kLevelEntry);
  raise();
  const bool is_once = delivers_level(1);
  const u32 entry_after = ioapic::entry(kPin);
  // Open again, the line brings the interrupt back.
  const u32 first = total();
  reset_counts();
  plan.lower_after = 1;
  plan.write_entry = 0;
  ioapic::set_entry(kPin, kLevelEntry);
  const bool comes_back = delivers_level(1);
  finish("ioapic.mask_before_eoi", is_once && (entry_after & ioapic::kRemoteIrr) == 0,
         ", before them ", first, ", entry then ", hex(entry_after));
  expect("ioapic.comes_back", comes_back, total(), " deliveries");
}

void check_reprogramming() {
  // Another vector while the line waits behind the mask.
  begin(1);
  ioapic::set_entry(kPin, ioapic::kMasked | kLevelEntry);
  raise();
  ioapic::set_entry(kPin, ioapic::kMasked | ioapic::kLevel | kOtherVector);
  ioapic::set_entry(kPin, ioapic::kLevel | kOtherVector);
  const bool is_once = delivers_level(1);
  finish("ioapic.other_vector", is_once && deliveries == 0);

  // To edge in the handler: how kernels drop a stuck Remote-IRR.
  begin(1, ioapic::kMasked | kVector);
  ioapic::set_entry(kPin, kLevelEntry);
  raise();
  const bool is_taken = delivers_level(1);
  const u32 entry_after = ioapic::entry(kPin);
  finish("ioapic.edge_clears_remote_irr", is_taken && (entry_after & ioapic::kRemoteIrr) == 0,
         ", after it ", hex(entry_after));

  begin(1);
  ioapic::set_entry(kPin, kLevelEntry);
  raise();
  finish("ioapic.level_again", delivers_level(1));
}

void serve_interrupts() {
  lapic::enable();
  while (true) sleep_until_interrupt();
}

void check_other_vcpu(const BootInfo& info) {
  const CpuList cpus = find_cpus(info);
  if (cpus.count < 2) return skip("ioapic.other_vcpu", "one vCPU");
  const u32 target = cpus.apic_ids[1];
  if (!expect("ioapic.start", start_cpu(target, serve_interrupts), "the second vCPU stays away")) {
    return;
  }
  // The EOI comes from another vCPU than the one that programs the entry.
  begin(2);
  ioapic::route(kPin, kLevelEntry, target);
  raise();
  const bool is_twice = delivers_level(2);
  finish("ioapic.other_vcpu", is_twice && apic_id_in_handler == target, ", the last on ",
         apic_id_in_handler);
}

}  // namespace

void guest_main(const BootInfo& info) {
  lapic::enable();
  set_interrupt_handler(kVector, on_pin);
  set_interrupt_handler(kOtherVector, on_pin);
  out8(serial::kModemControl, serial::kModemDtrRtsOut2);
  check_registers();
  check_edge();
  check_level();
  check_masks();
  check_reprogramming();
  check_other_vcpu(info);
  done();
}

}  // namespace kit
