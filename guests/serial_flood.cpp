// SPDX-License-Identifier: Apache-2.0
// serial_flood: `kib=N` (16) KiB of output as lines of 64 characters, then how many and their sum.
// Line n is 63 characters, the i-th of code 33 + (n + i) % 90, and a newline.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/print.hpp"
#include "guests/kit/serial.hpp"

namespace kit {

void guest_main(const BootInfo& info) {
  constexpr u32 kPeriod = 90;
  constexpr u32 kLineSize = 64;
  // Every line is a window on this text.
  char text[kPeriod + kLineSize];
  for (u32 i = 0; i < sizeof(text); i++) text[i] = static_cast<char>(33 + i % kPeriod);

  const u64 lines = find_number(info.command_line, "kib", 16) * kKiB / kLineSize;
  u64 sum = 0;
  for (u64 line = 0; line < lines; line++) {
    char* const window = text + line % kPeriod;
    for (u32 i = 0; i < kLineSize - 1; i++) sum += static_cast<u8>(window[i]);
    sum += '\n';
    const char kept = window[kLineSize - 1];
    window[kLineSize - 1] = '\n';
    serial::write({window, kLineSize});
    window[kLineSize - 1] = kept;
  }
  print("bytes ", lines * kLineSize, " sum ", sum, "\nDONE\n");
}

}  // namespace kit
