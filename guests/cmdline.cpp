// SPDX-License-Identifier: Apache-2.0
// cmdline: prints the command line, its words up to " -- " and the virtio-mmio devices among them.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/report.hpp"

namespace kit {

void guest_main(const BootInfo& info) {
  const std::string_view line(info.command_line);
  print("protocol ", info.protocol == BootProtocol::kPvh ? "pvh" : "linux64", '\n');
  print("length ", line.size(), '\n', "line ", line, '\n');
  Words words(line);
  std::string_view word;
  while (words.next(word)) {
    print("word ", word, '\n');
    VirtioMmioDevice device{};
    if (parse_virtio_mmio(word, device)) {
      print("device base ", hex(device.base), " size ", hex(device.size), " irq ", device.irq,
            '\n');
    }
  }
  print("initrd ", hex(info.initrd), " size ", info.initrd_size, '\n');
  done();
}

}  // namespace kit
