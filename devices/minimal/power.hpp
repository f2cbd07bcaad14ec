// SPDX-License-Identifier: Apache-2.0
// The ports by which a guest ends itself: ACPI sleep control, sleep status and reset registers.
// Called by vCPU threads.
#pragma once

#include "core/bus.hpp"

namespace mote {

/// Who ends the machine. Called on a vCPU thread, perhaps on several at once and more than once; it
/// must not block and must not call the device back.
class PowerSink {
 public:
  virtual ~PowerSink() = default;
  virtual void power_off() = 0;
  virtual void reset() = 0;
};

/// Six ports, usually at 600h. Has no state, hence no lock and nothing to save.
///
/// offset  width  access
///      0      1      rw  sleep control: SLP_EN with SLP_TYP 5 powers off [ACPI-6.5 4.8.3.7]
///      1      1      r-  sleep status: WAK_STS reads 0, this machine never wakes
///      2      1      -w  reset register: 01h resets [ACPI-6.5 4.8.3.6]
///      4      2      -w  SLP_EN (bit 13) powers off, as at the PM1a control register of QEMU's PCs
///
/// Other values, widths and offsets have no effect. The readable registers read 0, others all ones.
class PowerPorts final : public IoDevice {
 public:
  static constexpr u16 kPortCount = 6;
  /// What the ACPI tables tell the guest to write: SLP_TYP of the S5 state, and the reset value.
  static constexpr u8 kSleepTypeOff = 5;
  static constexpr u8 kResetValue = 0x01;

  explicit PowerPorts(PowerSink& sink) : sink_(sink) {}

  std::string_view name() const override { return "power"; }
  void read(u64 offset, std::span<std::byte> data) override;
  void write(u64 offset, std::span<const std::byte> data) override;

 private:
  PowerSink& sink_;
};

}  // namespace mote
