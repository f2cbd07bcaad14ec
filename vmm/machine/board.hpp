// SPDX-License-Identifier: Apache-2.0
// The board: every small device of the machine, wired to interrupts and placed on the two buses.
#pragma once

#include <memory>
#include <optional>

#include "core/bus.hpp"
#include "core/event_loop.hpp"
#include "core/loop_alarm.hpp"
#include "devices/minimal/boot_clock.hpp"
#include "devices/minimal/i8042.hpp"
#include "devices/minimal/pit.hpp"
#include "devices/minimal/power.hpp"
#include "devices/minimal/rtc.hpp"
#include "devices/minimal/serial.hpp"
#include "devices/pci/host.hpp"
#include "devices/pci/unplug.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/machine/interrupts.hpp"

namespace mote {

/// What the devices tell the machine.
struct BoardSinks {
  SerialOutput& serial_output;
  PowerSink& power;
  BootClockSink& boot_clock;
  PicOutput& pic_output;
};

/// Made before the first vCPU runs; afterwards vCPU threads reach it through the buses. Making it
/// costs no system call.
class Board {
 public:
  Board(const MachineConfig& config, kvm::Vm& vm, EventLoop& loop, const BoardSinks& sinks);

  /// One more device in memory. Before the first vCPU runs.
  void add_mmio(Gpa start, u64 size, IoDevice& device) { mmio_.add(start.raw(), size, device); }

  /// The PCI bus, with nothing on it but its host bridge. Once; likewise.
  void add_pci_bus(u64 memory_bytes);
  /// One more function on the bus, which is there: returns the number of its device. Likewise;
  /// `function` outlives the board, or is taken off the bus before.
  Result<u32> add_pci(pci::Function& function);
  /// See pci::Host.
  void remove_pci(u32 device) { pci_->remove(device); }
  /// The ports by which functions can be asked for. Once, before the first vCPU runs; `sink`
  /// outlives the board.
  void add_unplug_ports(pci::EjectSink& sink);
  /// See pci::UnplugPorts, which are there.
  void ask_for(u32 device) { unplug_->ask(device); }

  const Bus& ports() const { return ports_; }
  const Bus& mmio() const { return mmio_; }
  Interrupts& interrupts() { return interrupts_; }
  Serial& serial() { return serial_; }
  const Serial& serial() const { return serial_; }
  I8042& i8042() { return i8042_; }

 private:
  /// What only old guests ask for.
  struct Legacy {
    Legacy(const MachineConfig& config, Interrupts& interrupts, EventLoop& loop);
    LoopAlarm alarm;
    Pit pit;
    Rtc rtc;
  };

  Bus ports_;
  Bus mmio_;
  Interrupts interrupts_;
  Serial serial_;
  PowerPorts power_;
  BootClock boot_clock_;
  I8042 i8042_;
  std::optional<Legacy> legacy_;
  std::optional<pci::Host> pci_;
  std::optional<pci::UnplugPorts> unplug_;
};

}  // namespace mote
