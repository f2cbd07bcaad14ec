// SPDX-License-Identifier: Apache-2.0
// Decodes the power ports; see power.hpp.
#include "devices/minimal/power.hpp"

namespace mote {
namespace {

constexpr u64 kSleepControl = 0;
constexpr u64 kSleepStatus = 1;
constexpr u64 kReset = 2;
constexpr u64 kPm1Control = 4;

constexpr u64 kSleepEnable = 1u << 5;
constexpr u32 kSleepTypeShift = 2;
constexpr u64 kSleepTypeMask = 7;
constexpr u64 kPm1SleepEnable = 1u << 13;

constexpr bool asks_for_off(u64 control) {
  return (control & kSleepEnable) != 0 &&
         ((control >> kSleepTypeShift) & kSleepTypeMask) == PowerPorts::kSleepTypeOff;
}

}  // namespace

void PowerPorts::read(u64 offset, std::span<std::byte> data) {
  fill_ones(data);
  for (std::byte& byte : data) {
    if (offset == kSleepControl || offset == kSleepStatus) byte = std::byte{0};
    ++offset;
  }
}

void PowerPorts::write(u64 offset, std::span<const std::byte> data) {
  const u64 value = load_le(data);
  if (offset == kSleepControl && data.size() == 1) {
    if (asks_for_off(value)) sink_.power_off();
  } else if (offset == kReset && data.size() == 1) {
    if (value == kResetValue) sink_.reset();
  } else if (offset == kPm1Control && data.size() == 2) {
    if ((value & kPm1SleepEnable) != 0) sink_.power_off();
  }
}

}  // namespace mote
