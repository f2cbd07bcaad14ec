// SPDX-License-Identifier: Apache-2.0
// Time by the TSC. Any vCPU, once tsc_khz() was asked on the first.
#pragma once

#include "guests/kit/cpu.hpp"
#include "guests/kit/types.hpp"

namespace kit {

/// TSC frequency in kHz, found once: `tsc_khz=` on the command line, CPUID leaf 0x40000010,
/// kvm-clock's scale, else 5 ms of the PIT.
u64 tsc_khz();

u64 tsc_to_ns(u64 ticks);

/// A point in time that bounds a wait.
class Deadline {
 public:
  explicit Deadline(u64 microseconds) : end_(rdtsc() + microseconds * tsc_khz() / 1000) {}
  bool has_passed() const { return rdtsc() >= end_; }

 private:
  u64 end_;
};

/// Waits for `done()`, at most so long; false when time ran out.
template <class Condition>
bool wait_until(Condition done, u64 microseconds) {
  const Deadline deadline(microseconds);
  while (!done()) {
    if (deadline.has_passed()) return done();
    pause();
  }
  return true;
}

}  // namespace kit
