// SPDX-License-Identifier: Apache-2.0
// The ways out of a guest. Any vCPU.
#pragma once

namespace kit {

/// Powers off: Mote's ACPI sleep control register, then that of QEMU's microvm, then a triple
/// fault.
[[noreturn]] void power_off();

/// Resets: ACPI reset registers, then the i8042 keyboard controller, then a triple fault.
[[noreturn]] void reset();

/// Faults with an empty interrupt table: the processor shuts down [SDM 3A 6.15, #DF].
[[noreturn]] void triple_fault();

/// Waits some 20 ms: time for a monitor that stops the vCPUs from another thread. To be called
/// behind a write that should have ended the guest.
void linger();

}  // namespace kit
