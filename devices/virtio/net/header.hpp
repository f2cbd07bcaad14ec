// SPDX-License-Identifier: Apache-2.0
// What stands before each frame, and what it may say [Virtio 1.2 5.1.6]. Pure.
#pragma once

#include "core/types.hpp"

namespace mote::virtio {

/// Feature bits of a network device [Virtio 1.2 5.1.3].
namespace net_feature {
inline constexpr u64 kCsum = u64{1} << 0;
inline constexpr u64 kGuestCsum = u64{1} << 1;
inline constexpr u64 kCtrlGuestOffloads = u64{1} << 2;
inline constexpr u64 kMtu = u64{1} << 3;
inline constexpr u64 kMac = u64{1} << 5;
inline constexpr u64 kGuestTso4 = u64{1} << 7;
inline constexpr u64 kGuestTso6 = u64{1} << 8;
inline constexpr u64 kHostTso4 = u64{1} << 11;
inline constexpr u64 kHostTso6 = u64{1} << 12;
inline constexpr u64 kMrgRxbuf = u64{1} << 15;
inline constexpr u64 kStatus = u64{1} << 16;
inline constexpr u64 kCtrlVq = u64{1} << 17;
inline constexpr u64 kGuestAnnounce = u64{1} << 21;
inline constexpr u64 kMq = u64{1} << 22;
inline constexpr u64 kGuestUso4 = u64{1} << 54;
inline constexpr u64 kGuestUso6 = u64{1} << 55;
inline constexpr u64 kHostUso = u64{1} << 56;

/// What frames for the guest may need, and what its own may.
inline constexpr u64 kGuestSegments = kGuestTso4 | kGuestTso6 | kGuestUso4 | kGuestUso6;
inline constexpr u64 kGuestOffloads = kGuestCsum | kGuestSegments;
inline constexpr u64 kHostOffloads = kCsum | kHostTso4 | kHostTso6 | kHostUso;
}  // namespace net_feature

/// The header of a frame. All numbers are little endian.
struct NetHeader {
  static constexpr u8 kNeedsCsum = 1;
  static constexpr u8 kDataValid = 2;
  static constexpr u8 kGsoNone = 0;
  static constexpr u8 kGsoTcp4 = 1;
  static constexpr u8 kGsoTcp6 = 4;
  static constexpr u8 kGsoUdp = 5;  ///< UDP_L4: datagrams of gso_size bytes

  u8 flags = 0;
  u8 gso_type = 0;
  u16 hdr_len = 0;   ///< bytes of all headers of the frame; a hint
  u16 gso_size = 0;  ///< of payload, in each segment
  u16 csum_start = 0;
  u16 csum_offset = 0;  ///< from csum_start
  u16 num_buffers = 0;
  bool operator==(const NetHeader&) const = default;
};
static_assert(sizeof(NetHeader) == 12);

/// Shortest frame: two addresses and a type. Longest: 64 KiB of payload after that; VLAN tags count
/// as payload [Virtio 1.2 5.1.6.3.1].
inline constexpr u32 kMinFrameSize = 14;
inline constexpr u32 kMaxFrameSize = 65550;

/// What frames are checked against.
struct NetRules {
  u64 features = 0;  ///< negotiated
  u16 mtu = 0;       ///< the device's; counts when MTU was negotiated
};

/// Whether a frame of `size` bytes that the driver sends may go out with this header; what of it
/// does not matter is cleared [Virtio 1.2 5.1.6.2].
[[nodiscard]] bool may_send(NetHeader& header, u64 size, const NetRules& rules);

/// Whether a frame of `size` bytes from the host may be shown to the driver with this header; what
/// the driver has not asked for and can do without is cleared [Virtio 1.2 5.1.6.4.1].
[[nodiscard]] bool may_receive(NetHeader& header, u64 size, const NetRules& rules);

}  // namespace mote::virtio
