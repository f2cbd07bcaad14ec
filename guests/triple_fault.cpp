// SPDX-License-Identifier: Apache-2.0
// triple_fault: faults with an empty interrupt table.
#include "guests/kit/power.hpp"

#include "guests/kit/boot_info.hpp"
#include "guests/kit/print.hpp"

namespace kit {

void guest_main(const BootInfo&) {
  print("triple fault\n");
  triple_fault();
}

}  // namespace kit
