// SPDX-License-Identifier: Apache-2.0
// The real-time clock: any time on the host, any time that the guest sets, any saved state.
#include "devices/minimal/rtc.hpp"
#include "tests/fuzz/accesses.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"

using namespace mote;

static u64 wall_ns = 0;

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  constexpr auto kClock = [] { return wall_ns; };
  std::span<const u8> data(bytes, size);
  wall_ns = 1'709'213'862'000'000'000;
  Rtc rtc({.below_4g = 3 * kGiB, .above_4g = kGiB}, kClock), other({}, kClock);
  Bus bus;
  rtc.attach(bus);
  for (Access access{}; take_access(data, access);) {
    wall_ns += access.wait_ns * (access.offset / 2);
    if (access.operation % 16 == 0) {
      Rtc::State state = rtc.save();
      state.index = access.offset;
      state.offset_s = static_cast<i64>(u64{access.value} << 32);
      state.cmos.fill(access.width);
      rtc.restore(state);
    } else {
      perform(bus, 0x70 + access.offset % 2, access, access.operation % 2 == 0);
    }
    const Rtc::State state = rtc.save();
    other.restore(state);
    CHECK(other.save() == state, "a state comes back as it was saved");
    write8(other, 0, 0x0d);
    CHECK(read8(other, 1) == 0x80, "the clock is always valid");
    write8(other, 0, 0x0b);
    CHECK((read8(other, 1) & 0x70) == 0, "no interrupts");
  }
  return 0;
}
