// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/board.hpp"

#include <algorithm>

#include "vmm/arch/layout.hpp"

namespace mote {

Board::Legacy::Legacy(const MachineConfig& config, Interrupts& interrupts, EventLoop& loop)
    : alarm(loop),
      pit(interrupts.line(layout::kPitPin), alarm),
      rtc({.below_4g = std::min(config.memory_bytes, layout::kHoleStart.raw()),
           .above_4g = std::max(config.memory_bytes, layout::kHoleStart.raw()) -
                       layout::kHoleStart.raw()}) {
  alarm.set_handler(pit);
}

Board::Board(const MachineConfig& config, kvm::Vm& vm, EventLoop& loop, const BoardSinks& sinks)
    : interrupts_(vm, config.legacy ? &sinks.pic_output : nullptr),
      serial_(interrupts_.line(layout::kCom1Pin), sinks.serial_output),
      power_(sinks.power),
      boot_clock_(sinks.boot_clock),
      i8042_(interrupts_.line(layout::kKeyboardPin), sinks.power) {
  ports_.add(layout::kCom1, Serial::kPortCount, serial_);
  ports_.add(layout::kPowerPorts, PowerPorts::kPortCount, power_);
  ports_.add(layout::kBootClock, BootClock::kPortCount, boot_clock_);
  i8042_.attach(ports_);
  mmio_.add(layout::kIoApic.raw(), IoApic::kSize, interrupts_.ioapic());
  if (config.legacy) {
    legacy_.emplace(config, interrupts_, loop);
    interrupts_.pic()->attach(ports_);
    legacy_->pit.attach(ports_);
    legacy_->rtc.attach(ports_);
  }
}

void Board::add_pci_bus(u64 memory_bytes) {
  static_assert(pci::Host::kEcamSize == layout::kPciEcamSize);
  static_assert(pci::Host::kDevices == 1 + kMaxPciFunctions, "the first is the bridge's");
  pci_.emplace(pci::Windows{layout::kPciBelow4g, layout::pci_above_4g(memory_bytes)});
  mmio_.add(layout::kPciEcam.raw(), pci::Host::kEcamSize, pci_->ecam());
  ports_.add(layout::kPciConfig, pci::Host::kPortCount, pci_->ports());
}

Result<u32> Board::add_pci(pci::Function& function) {
  return pci_->add(function, mmio_);
}

void Board::add_unplug_ports(pci::EjectSink& sink) {
  unplug_.emplace(interrupts_.line(layout::kUnplugPin), sink);
  ports_.add(layout::kUnplugPorts, pci::UnplugPorts::kPortCount, *unplug_);
}

}  // namespace mote
