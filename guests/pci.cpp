// SPDX-License-Identifier: Apache-2.0
// pci: the PCI bus with a virtio disk on it: configuration space both ways, BARs, MSI-X with masks
// and pending bits, and a driver that writes whatever it likes. Reads the disk only. `queues=N`, at
// least 2, as the monitor was told.
#include "guests/kit/block.hpp"

#include "guests/kit/arena.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

constexpr u16 kAddressPort = 0xCF8;
constexpr u16 kDataPort = 0xCFC;
constexpr u32 kEnabled = 0x80000000;
constexpr u32 kBarSize = 0x8000;
constexpr u8 kFirstVector = 0x50;
constexpr u8 kOtherVector = 0x58;
constexpr u64 kPatienceUs = 2'000'000;
constexpr u64 kQuietUs = 20'000;

block::Disk disk;
u8* sector;
u16 queues;

// Written by the handler, which runs in ring 0 while all else is in ring 3. By vector.
volatile u32 interrupts[16];

void on_message(Frame& frame) {
  const u64 number = frame.vector - kFirstVector;
  interrupts[number] = interrupts[number] + 1;
  lapic::end_of_interrupt();
}

const virtio::PciFunction& function() {
  return disk.transport().function();
}

u64 config(u32 offset) {
  return function().config_space + offset;
}

u32 read_by_ports(u32 device, u32 offset) {
  out32(kAddressPort, kEnabled | device << 11 | offset);
  return in32(kDataPort);
}

void check_bus() {
  expect_equal("pci.bridge", mmio_read<u32>(virtio::config_space(0) + 8) >> 8, 0x060000U);
  bool agrees = true;
  u32 found = 0;
  for (u32 device = 0; device < virtio::kPciDevices; device++) {
    for (const u32 offset : {0U, 8U, 0x2CU}) {
      const u32 word = mmio_read<u32>(virtio::config_space(device) + offset);
      agrees &= word == read_by_ports(device, offset);
      found += offset == 0 && word != ~0U;
    }
  }
  expect("pci.ports_and_memory_agree", agrees && found >= 2, found, " devices");
  out32(kAddressPort, kEnabled | 1U << 16);
  expect_equal("pci.no_other_bus", in32(kDataPort), ~0U);
  expect_equal("pci.no_other_function", mmio_read<u32>(virtio::kEcam + virtio::kFunctionSize), ~0U);
  expect_equal("pci.revision", mmio_read<u8>(config(8)), u8{1});
}

void check_bar() {
  const u64 low = config(virtio::kPciBar0);
  const u32 home = mmio_read<u32>(low);
  const u32 home_high = mmio_read<u32>(low + 4);
  const auto answers = [] { return mmio_read<u16>(function().common + 18) == queues; };
  mmio_write<u32>(low, ~0U);
  mmio_write<u32>(low + 4, ~0U);
  expect_equal("pci.bar_size", mmio_read<u32>(low), ~(kBarSize - 1) | 4);
  expect_equal("pci.bar_size_high", mmio_read<u32>(low + 4), ~0U);
  expect("pci.bar_away", !answers(), "it answers while it is elsewhere");
  mmio_write<u32>(low, home);
  mmio_write<u32>(low + 4, home_high);
  expect("pci.bar_home", answers(), "at ", hex(function().common));
  mmio_write<u16>(config(virtio::kPciCommand), 0);
  expect("pci.bar_off", !answers(), "it answers while decoding is off");
  mmio_write<u16>(config(virtio::kPciCommand), virtio::kPciMemory | virtio::kPciBusMaster);
  expect("pci.bar_on", answers(), "at ", hex(function().common));
}

/// Gives each queue a vector of its own.
bool start() {
  if (!disk.start({.queues = queues})) return false;
  for (u16 queue = 0; queue < queues; queue++) {
    disk.transport().set(virtio::Register::kQueueSelect, queue);
    mmio_write<u16>(function().common + virtio::kQueueVector, queue);
    virtio::set_message(function(), queue, static_cast<u8>(kFirstVector + queue), lapic::id());
  }
  virtio::set_msix(function(), virtio::kMsixEnabled);
  return true;
}

/// A read of a sector that asks for an interrupt.
bool read(u16 queue) {
  disk.queue(queue).request_interrupt();
  return disk.read(0, sector, block::kSectorSize, queue) == block::kOk;
}

bool comes(u8 vector, u32 before) {
  const u32 number = vector - kFirstVector;
  return wait_until([=] { return interrupts[number] == before + 1; }, kPatienceUs);
}

bool is_pending(u32 number) {
  return (mmio_read<u64>(function().msix_pending) >> number & 1) != 0;
}

void be_quiet() {
  const Deadline quiet(kQuietUs);
  while (!quiet.has_passed()) pause();
}

void check_vectors() {
  bool holds = true;
  for (u16 queue = 0; queue < queues; queue++) {
    for (u32 i = 0; i < 10; i++) {
      const u32 before = interrupts[queue];
      holds &= read(queue) && comes(static_cast<u8>(kFirstVector + queue), before);
    }
  }
  expect("pci.vector_of_each_queue", holds, interrupts[0], " and ", interrupts[1], " interrupts");
  mmio_write<u16>(function().common + virtio::kConfigVector, 0x7FF);
  expect_equal("pci.no_such_vector", mmio_read<u16>(function().common + virtio::kConfigVector),
               virtio::kNoVector);
}

/// What was raised behind a mask comes when that is lifted.
void check_mask(std::string_view name, void (*set_masked)(bool masked)) {
  bool holds = true;
  for (u32 i = 0; i < 5; i++) {
    const u32 before = interrupts[1];
    set_masked(true);
    holds &= read(1);
    holds &= wait_until([] { return is_pending(1); }, kPatienceUs);
    be_quiet();
    holds &= interrupts[1] == before;
    set_masked(false);
    holds &= comes(kFirstVector + 1, before) && !is_pending(1);
  }
  expect(name, holds, "pending: ", is_pending(1), ", interrupts: ", interrupts[1]);
}

void check_move() {
  const u32 before = interrupts[kOtherVector - kFirstVector];
  const u32 old = interrupts[1];
  virtio::mask_message(function(), 1, true);
  const bool is_read = read(1);
  virtio::set_message(function(), 1, kOtherVector, lapic::id());
  expect("pci.moved_while_pending", is_read && comes(kOtherVector, before) && interrupts[1] == old,
         interrupts[1] - old, " interrupts by the old vector");
}

/// All of the function is written with all widths, as nobody should.
void check_noise() {
  const u64 home = function().common;
  const u32 low = mmio_read<u32>(config(virtio::kPciBar0));
  const u32 high = mmio_read<u32>(config(virtio::kPciBar0 + 4));
  u64 noise = 0x9E3779B97F4A7C15;
  const auto write = [&noise](u64 address) {
    noise = noise * 6364136223846793005 + 1442695040888963407;
    switch (noise >> 62) {
      case 0:
        return mmio_write<u8>(address, static_cast<u8>(noise));
      case 1:
        return mmio_write<u16>(address, static_cast<u16>(noise));
      case 2:
        return mmio_write<u32>(address, static_cast<u32>(noise));
      default:
        return mmio_write<u64>(address, noise);
    }
  };
  for (u32 round = 0; round < 4; round++) {
    for (u32 part = 0; part < kBarSize; part += 0x1000) {
      for (u32 offset = 0; offset < 0x48; offset++) write(home + part + offset);
    }
    for (u32 offset = 0; offset < 0x100; offset++) write(config(offset));
    mmio_write<u32>(config(virtio::kPciBar0), low);
    mmio_write<u32>(config(virtio::kPciBar0 + 4), high);
    mmio_write<u16>(config(virtio::kPciCommand), virtio::kPciMemory | virtio::kPciBusMaster);
    virtio::set_msix(function(), virtio::kMsixMasked);
  }
  const bool is_up = start();
  const u32 before = interrupts[0];
  expect("pci.noise_is_survived", is_up && read(0) && comes(kFirstVector, before), "status ",
         hex(disk.transport().status()));
}

u64 test(u64) {
  check_bus();
  check_bar();
  if (!expect("pci.start", start(), "status ", hex(disk.transport().status()))) return 0;
  check_vectors();
  check_mask("pci.masked_vector", [](bool masked) { virtio::mask_message(function(), 1, masked); });
  check_mask("pci.masked_function", [](bool masked) {
    virtio::set_msix(function(),
                     static_cast<u16>(virtio::kMsixEnabled | (masked ? virtio::kMsixMasked : 0)));
  });
  check_move();
  check_noise();
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  queues = static_cast<u16>(find_number(info.command_line, "queues", 2));
  tsc_khz();
  sector = static_cast<u8*>(take_memory(block::kSectorSize, 4096));
  if (!disk.find(info) || sector == nullptr) return;
  if (!expect("pci.found", disk.transport().is_pci(), "the disk is not on a PCI bus")) return;
  lapic::enable();
  for (u8 vector = kFirstVector; vector <= kOtherVector; vector++) {
    set_interrupt_handler(vector, on_message);
  }
  enable_interrupts();
  run_in_ring3(test, 0);
  disable_interrupts();
  disk.transport().reset();
  done();
}

}  // namespace kit
