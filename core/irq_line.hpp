// SPDX-License-Identifier: Apache-2.0
// IrqLine: a device's wire to the interrupt controllers. Devices know nothing more of interrupts.
#pragma once

namespace mote {

/// One input of the interrupt controllers. Any thread. A device owns the level of its line; whether
/// an edge or the level counts is what the guest programmed.
class IrqLine {
 public:
  virtual ~IrqLine() = default;
  /// Drives the wire high or low. An edge-triggered input delivers at the change from low to high;
  /// a line with an eventfd behind it delivers at each call with `high`.
  virtual void set_level(bool high) = 0;
  /// A pulse: high, then low.
  void pulse() {
    set_level(true);
    set_level(false);
  }
};

}  // namespace mote
