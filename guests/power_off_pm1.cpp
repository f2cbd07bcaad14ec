// SPDX-License-Identifier: Apache-2.0
// power_off_pm1: powers off by the PM1 control word at port 604h, where programs written for QEMU's
// PC look for it. Where that does nothing it says so and resets.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/power.hpp"
#include "guests/kit/print.hpp"

namespace kit {

void guest_main(const BootInfo&) {
  constexpr u16 kPm1Control = 0x604;
  constexpr u16 kSleepEnable = 0x2000;
  print("power off by port 604h\n");
  out16(kPm1Control, kSleepEnable);
  linger();
  print("FAIL power_off_pm1: still running\n");
  reset();
}

}  // namespace kit
