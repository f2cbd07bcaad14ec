// SPDX-License-Identifier: Apache-2.0
// cmdline: prints how it was booted, the command line, its words up to " -- ", the virtio-mmio
// devices among them, and size and sum of bytes (of the first 64 KiB) of the initial RAM disk.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/report.hpp"

namespace kit {

namespace {

constexpr u64 kInitrdLimit = 64 * kKiB;

}  // namespace

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
  u64 sum = 0;
  const auto* initrd = reinterpret_cast<const u8*>(info.initrd);
  for (u64 i = 0; i < info.initrd_size && i < kInitrdLimit; i++) sum += initrd[i];
  print("initrd ", hex(info.initrd), " size ", info.initrd_size, " sum ", sum, '\n');
  done();
}

}  // namespace kit
