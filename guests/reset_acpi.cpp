// SPDX-License-Identifier: Apache-2.0
// reset_acpi: resets by the ACPI reset register. Where that does nothing it says so and powers off.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/power.hpp"
#include "guests/kit/print.hpp"

namespace kit {

void guest_main(const BootInfo&) {
  constexpr u16 kResetPort = 0x602;
  constexpr u8 kResetValue = 1;
  print("reset by the ACPI reset register\n");
  out8(kResetPort, kResetValue);
  linger();
  print("FAIL reset_acpi: still running\n");
}

}  // namespace kit
