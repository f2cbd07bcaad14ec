// SPDX-License-Identifier: Apache-2.0
// How the fuzz targets of devices read their input: as a list of accesses, eight bytes each.
#pragma once

#include <span>

#include "core/bus.hpp"
#include "core/check.hpp"

namespace mote {

struct Access {
  u8 operation;  ///< what the target makes of it
  u8 offset;
  u8 width;     ///< 1, 2, 4 or 8
  u64 wait_ns;  ///< time that passes before, 1 ns to 17 s
  u32 value;
};

/// Takes the next access off the front of `data`; false when there is no whole one left.
inline bool take_access(std::span<const u8>& data, Access& access) {
  if (data.size() < 8) return false;
  const auto bytes = std::as_bytes(data);
  access = {data[0], data[1], static_cast<u8>(1u << data[2] % 4), u64{1} << data[3] % 35,
            static_cast<u32>(load_le(bytes.subspan(4, 4)))};
  data = data.subspan(8);
  return true;
}

/// Reads or writes a device on a bus, as a vCPU does: an access past a range's end reaches nobody.
inline void perform(const Bus& bus, u64 address, const Access& access, bool is_write) {
  std::byte buffer[8] = {};
  const std::span data(buffer, access.width);
  store_le(data, access.value);
  if (is_write) {
    bus.write(address, data);
  } else {
    bus.read(address, data);
  }
}

}  // namespace mote
