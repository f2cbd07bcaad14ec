// SPDX-License-Identifier: Apache-2.0
// stood_still: prints `ready` and works until kvm-clock tells that the machine was paused.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/kvm_clock.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"

namespace kit {

void guest_main(const BootInfo&) {
  constexpr u8 kGuestStopped = 1 << 1;  // [kernel, Documentation/virt/kvm/x86/msr.rst]
  constexpr u64 kPatienceUs = 20'000'000;
  const volatile kvm_clock::Page* page = kvm_clock::enable();
  if (page == nullptr) {
    skip("stood_still.told", "CPUID does not offer kvm-clock");
    return done();
  }
  print("ready\n");
  expect("stood_still.told",
         wait_until([page] { return (page->flags & kGuestStopped) != 0; }, kPatienceUs), "flags ",
         hex(u8{page->flags}));
  done();
}

}  // namespace kit
