// SPDX-License-Identifier: Apache-2.0
// internal_error: jumps to an address behind which there is no memory, so that KVM has no
// instruction to run and gives up with an internal error. Where it does not, the guest powers off.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/print.hpp"

namespace kit {

void guest_main(const BootInfo&) {
  constexpr u64 kNoMemory = 0xCFF00000;
  print("jump to ", hex(kNoMemory), '\n');
  reinterpret_cast<void (*)()>(kNoMemory)();
  print("FAIL internal_error: still running\n");
}

}  // namespace kit
