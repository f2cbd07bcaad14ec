// SPDX-License-Identifier: Apache-2.0
// What stands around a device under test: a line that remembers, a clock of the test's own, short
// words for accesses.
#pragma once

#include <optional>

#include "core/alarm.hpp"
#include "core/bus.hpp"
#include "core/irq_line.hpp"

namespace mote {

struct FakeLine final : IrqLine {
  bool high = false;
  u32 rises = 0;
  u32 calls = 0;
  void set_level(bool level) override {
    if (level && !high) ++rises;
    high = level;
    ++calls;
  }
};

struct FakeAlarm final : Alarm {
  AlarmHandler* handler = nullptr;
  u64 now = 5'000'000'000;
  std::optional<u64> deadline;

  u64 now_ns() const override { return now; }
  void arm(u64 deadline_ns) override { deadline = deadline_ns; }
  void cancel() override { deadline.reset(); }

  /// Lets time pass and calls the handler punctually. Returns how often.
  u32 advance(u64 ns) {
    const u64 end = now + ns;
    u32 calls = 0;
    while (deadline && *deadline <= end && calls < 100'000) {
      if (*deadline > now) now = *deadline;
      fire();
      ++calls;
    }
    now = end;
    return calls;
  }
  /// Calls the handler now, as a timer that has run out does.
  void fire() {
    deadline.reset();
    handler->on_alarm();
  }
};

inline u64 read_le(IoDevice& device, u64 offset, std::size_t width) {
  std::byte bytes[8] = {};
  const std::span data(bytes, width);
  device.read(offset, data);
  return load_le(data);
}
inline void write_le(IoDevice& device, u64 offset, std::size_t width, u64 value) {
  std::byte bytes[8] = {};
  const std::span data(bytes, width);
  store_le(data, value);
  device.write(offset, data);
}
inline u8 read8(IoDevice& device, u64 offset) {
  return static_cast<u8>(read_le(device, offset, 1));
}
inline void write8(IoDevice& device, u64 offset, u8 value) {
  write_le(device, offset, 1, value);
}

}  // namespace mote
