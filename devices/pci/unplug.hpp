// SPDX-License-Identifier: Apache-2.0
// The ports by which a guest is asked to give a function back, and by which it does: what the
// methods of its slot in ACPI read and write [ACPI-6.5 5.6.6, 6.3.3].
#pragma once

#include <atomic>

#include "core/bus.hpp"
#include "core/irq_line.hpp"
#include "core/types.hpp"

namespace mote::pci {

/// Who takes functions off the bus. Called on a vCPU thread, also for devices that there are not,
/// and more than once; it must not block.
class EjectSink {
 public:
  virtual ~EjectSink() = default;
  /// The guest has given back the devices whose bits are set.
  virtual void eject(u32 devices) = 0;
};

/// Eight ports. Each bit stands for a device of the bus.
///
/// offset  width  access
///      0      4      rw  asked for: the guest has not taken notice yet; a 1 written says it has
///      4      4      -w  ejected
///
/// Other widths and offsets have no effect and read as ones.
class UnplugPorts final : public IoDevice {
 public:
  static constexpr u16 kPortCount = 8;

  /// `line` is driven when something is asked for. Both outlive this.
  UnplugPorts(IrqLine& line, EjectSink& sink) : line_(line), sink_(sink) {}

  /// Asks for `device` (1 to 31), once more if it was asked before. Thread: one that may drive
  /// lines.
  void ask(u32 device);

  std::string_view name() const override { return "unplug"; }
  void read(u64 offset, std::span<std::byte> data) override;
  void write(u64 offset, std::span<const std::byte> data) override;

 private:
  IrqLine& line_;
  EjectSink& sink_;
  std::atomic<u32> asked_{0};
};

}  // namespace mote::pci
