// SPDX-License-Identifier: Apache-2.0
// The 8254: programming at any time, an alarm that comes punctually, late or for nothing.
#include "devices/minimal/pit.hpp"
#include "tests/fuzz/accesses.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"

using namespace mote;

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  constexpr u64 kPorts[] = {0x40, 0x41, 0x42, 0x43, 0x61};
  std::span<const u8> data(bytes, size);
  FakeLine line, other_line;
  FakeAlarm alarm, other_alarm;
  Pit pit(line, alarm), other(other_line, other_alarm);
  alarm.handler = &pit;
  Bus bus;
  pit.attach(bus);
  u64 last_pulse = 0;
  for (Access access{}; take_access(data, access);) {
    alarm.now += access.wait_ns;
    const u32 rises = line.rises;
    if (access.operation % 4 == 0) {
      alarm.fire();
    } else {
      perform(bus, kPorts[access.offset % 5], access, access.operation % 4 != 1);
    }
    if (line.rises != rises) {
      CHECK(line.rises == rises + 1 && alarm.now - last_pulse >= Pit::kMinIntervalNs,
            "interrupts keep their distance");
      last_pulse = alarm.now;
    }
    Pit::State state = pit.save();
    other.restore(state);
    CHECK(other.save() == state, "a state comes back as it was saved");
    for (PitChannel::State& channel : state.channels) {
      channel.mode = channel.access = channel.latched_bytes = static_cast<u8>(access.value);
      channel.elapsed_ns = u64{access.value} << 32;
    }
    other.restore(state);
    for (const u64 port : kPorts) other.read_port(static_cast<u16>(port));
  }
  return 0;
}
