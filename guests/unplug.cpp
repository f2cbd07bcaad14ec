// SPDX-License-Identifier: Apache-2.0
// unplug: a function of the host as device 1 of the PCI bus, which is asked for and goes, or
// (`deaf`) goes without being asked, while another vCPU is in the middle of it. BAR 0 is memory,
// BAR 3 has the MSI-X table in its first page.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/ioapic.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/smp.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/virtio_pci.hpp"

namespace kit {
namespace {

constexpr u16 kAskedPort = 0x610;
constexpr u16 kEjectPort = 0x614;
constexpr u32 kPin = 13;
constexpr u8 kVector = 0x50;
constexpr u32 kDevice = 1;
constexpr u32 kBit = 1U << kDevice;
constexpr u64 kConfig = virtio::config_space(kDevice);
constexpr u64 kTrapped = 0x800;  // in a page with the MSI-X table
constexpr u64 kPatienceUs = 20'000'000;
constexpr u32 kPattern = 0x12345678;

u64 memory;
u64 table;
volatile u32 interrupts;
u32 rounds;  // of the other vCPU

void on_request(Frame&) {
  interrupts = interrupts + 1;
  lapic::end_of_interrupt();
}

u64 bar(u32 number) {
  return mmio_read<u32>(kConfig + virtio::kPciBar0 + 4 * number) & ~0xFU;
}

bool is_gone() {
  return mmio_read<u32>(kConfig) == ~0U;
}

void use_it() {
  while (true) {
    mmio_write<u32>(memory + 8, mmio_read<u32>(memory + 8));
    mmio_write<u32>(table + kTrapped + 8, mmio_read<u32>(table + kTrapped + 8));
    mmio_write<u16>(kConfig + virtio::kPciCommand, virtio::kPciMemory | virtio::kPciBusMaster);
    mmio_write<u16>(kConfig + virtio::kPciCommand, virtio::kPciMemory);
    __atomic_fetch_add(&rounds, 1, __ATOMIC_RELAXED);
  }
}

u32 rounds_so_far() {
  return __atomic_load_n(&rounds, __ATOMIC_RELAXED);
}

bool goes_on() {
  return wait_until([before = rounds_so_far()] { return rounds_so_far() > before + 1; },
                    kPatienceUs);
}

}  // namespace

void guest_main(const BootInfo& info) {
  const bool is_deaf = has_word(info.command_line, "deaf");
  const CpuList cpus = find_cpus(info);
  tsc_khz();
  lapic::enable();
  set_interrupt_handler(kVector, on_request);
  ioapic::route(kPin, is_deaf ? ioapic::kMasked : kVector, lapic::id());
  enable_interrupts();

  mmio_write<u16>(kConfig + virtio::kPciCommand, virtio::kPciMemory);
  memory = bar(0);
  table = bar(3);
  mmio_write<u32>(memory, kPattern);
  mmio_write<u32>(table + kTrapped, kPattern);
  expect("unplug.memory", mmio_read<u32>(memory) == kPattern, "at ", hex(memory));
  expect("unplug.trapped", mmio_read<u32>(table + kTrapped) == kPattern, "at ", hex(table));
  expect("unplug.used_by_another_vcpu",
         cpus.count > 1 && start_cpu(cpus.apic_ids[1], use_it) && goes_on(), "it stands still");
  expect("unplug.not_asked", in32(kAskedPort) == 0 && interrupts == 0, hex(in32(kAskedPort)));

  print("in use\n");
  if (!is_deaf) {
    expect("unplug.interrupt", wait_until([] { return interrupts > 0; }, kPatienceUs), "none");
    expect_equal("unplug.asked", in32(kAskedPort), kBit);
    out32(kAskedPort, kBit);
    expect_equal("unplug.heard", in32(kAskedPort), 0U);
    out32(kEjectPort, ~0U);  // also what there is not
  }
  expect("unplug.gone", wait_until(is_gone, kPatienceUs), "it is still there");
  expect("unplug.memory_gone",
         wait_until([] { return mmio_read<u32>(memory) == ~0U; }, kPatienceUs), "it answers");
  expect_equal("unplug.trapped_gone", mmio_read<u32>(table + kTrapped), ~0U);
  expect("unplug.nothing_else_gone", goes_on(), "the other vCPU stands still");
  out32(kEjectPort, kBit);
  done();
}

}  // namespace kit
