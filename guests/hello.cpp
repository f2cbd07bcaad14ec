// SPDX-License-Identifier: Apache-2.0
// hello: greets, says what it was given, powers off. The guest of the first run and of the boot
// benchmark, so its first byte comes before any other work.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/print.hpp"
#include "guests/kit/serial.hpp"
#include "guests/kit/smp.hpp"

namespace kit {

void guest_main(const BootInfo& info) {
  serial::write("Hello from a freestanding guest.\n");
  print("vCPUs ", find_cpus(info).count, ", memory ", info.memory.ram_size() / kKiB,
        " KiB, command line \"", info.command_line, "\"\n");
}

}  // namespace kit
