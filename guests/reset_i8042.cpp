// SPDX-License-Identifier: Apache-2.0
// reset_i8042: resets by the keyboard controller. Where that does nothing it says so and powers
// off.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/power.hpp"
#include "guests/kit/print.hpp"

namespace kit {

void guest_main(const BootInfo&) {
  constexpr u16 kCommandPort = 0x64;
  constexpr u8 kPulseReset = 0xFE;
  print("reset by the keyboard controller\n");
  out8(kCommandPort, kPulseReset);
  linger();
  print("FAIL reset_i8042: still running\n");
}

}  // namespace kit
