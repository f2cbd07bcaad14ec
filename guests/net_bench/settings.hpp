// SPDX-License-Identifier: Apache-2.0
// What net_bench's command line asks for (see guests/net_bench.cpp).
#pragma once

#include <string_view>

#include "guests/kit/frame.hpp"
#include "guests/kit/types.hpp"

namespace kit::net_bench {

/// In front of the payload of a segment that is to be cut.
inline constexpr u32 kTcpHeaders = frame::kEthernetSize + frame::kIpv4Size + frame::kTcpSize;

enum class Mode { kTransmit, kReceive, kRoundTrip, kEcho };

/// As read_settings() has found them; start() adapts depth, batch and buffer to the device.
struct Settings {
  Mode mode;
  bool sleeps;
  u32 size;
  u16 segment;  // of GSO, 0 for none
  u16 depth;
  u16 batch;
  u16 pieces;
  u16 pairs;
  u32 buffer;
  u64 ticks;
  u64 frames_wanted;
  u64 patience_us;
  frame::Mac to;
};
extern Settings settings;

/// Fills `settings`; false, after a FAIL line, when a word makes no sense.
bool read_settings(std::string_view line);

}  // namespace kit::net_bench
