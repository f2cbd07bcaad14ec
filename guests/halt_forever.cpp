// SPDX-License-Identifier: Apache-2.0
// halt_forever: says that it runs, then sleeps with interrupts on and nothing to wake it.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/print.hpp"

namespace kit {

void guest_main(const BootInfo&) {
  print("idle\n");
  while (true) sleep_until_interrupt();
}

}  // namespace kit
