// SPDX-License-Identifier: Apache-2.0
// Commands of a network device's control queue [Virtio 1.2 5.1.6.5]. Pure.
#pragma once

#include <span>

#include "core/types.hpp"

namespace mote::virtio {

enum class NetCommandKind : u8 {
  kRefused,      ///< unknown, of a wrong size or not possible: the answer is an error
  kSetPairs,     ///< `pairs` queue pairs are in use from now on
  kSetOffloads,  ///< frames may come as `offloads` (GUEST_* bits) says
  kAnnounced,    ///< the driver has announced itself
};

struct NetCommand {
  NetCommandKind kind = NetCommandKind::kRefused;
  u16 pairs = 0;
  u64 offloads = 0;
};

/// What commands are checked against.
struct NetControlLimits {
  u64 features = 0;  ///< negotiated
  u32 pairs = 1;     ///< of the device
};

/// Bytes of the longest command.
inline constexpr std::size_t kMaxNetCommandSize = 10;

/// Reads a command: all bytes that the driver sent, without the acknowledgement's.
NetCommand parse_net_command(std::span<const std::byte> bytes, const NetControlLimits& limits);

/// Whether offloads fit together and were negotiated: segments need the checksum.
bool are_offloads_possible(u64 offloads, u64 features);

}  // namespace mote::virtio
