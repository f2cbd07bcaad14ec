// SPDX-License-Identifier: Apache-2.0
// Passes the guest's marks on; see boot_clock.hpp.
#include "devices/minimal/boot_clock.hpp"

namespace mote {

void BootClock::read(u64 /*offset*/, std::span<std::byte> data) {
  fill_ones(data);
}

void BootClock::write(u64 offset, std::span<const std::byte> data) {
  if (offset != 0 || data.size() != 1 || data[0] == std::byte{0}) return;
  sink_.mark(static_cast<u8>(data[0]));
}

}  // namespace mote
