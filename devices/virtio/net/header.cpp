// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/net/header.hpp"

namespace mote::virtio {
namespace {

/// Two addresses, a VLAN tag and a type: what a frame has besides what the MTU counts.
constexpr u32 kLinkHeader = 18;

/// The features one of which a kind of segments needs; none: there is no such kind here.
constexpr u64 needed_to_send(u8 gso_type) {
  switch (gso_type) {
    case NetHeader::kGsoTcp4:
      return net_feature::kHostTso4;
    case NetHeader::kGsoTcp6:
      return net_feature::kHostTso6;
    case NetHeader::kGsoUdp:
      return net_feature::kHostUso;
    default:
      return 0;
  }
}

constexpr u64 needed_to_receive(u8 gso_type) {
  switch (gso_type) {
    case NetHeader::kGsoTcp4:
      return net_feature::kGuestTso4;
    case NetHeader::kGsoTcp6:
      return net_feature::kGuestTso6;
    case NetHeader::kGsoUdp:
      return net_feature::kGuestUso4 | net_feature::kGuestUso6;
    default:
      return 0;
  }
}

/// Checks what both directions have in common. `segments` and `csum` are the features one of which
/// a frame to be cut into segments and one whose checksum is to be filled in need.
bool is_sound(NetHeader& header, u64 size, const NetRules& rules, u64 segments, u64 csum) {
  if (size < kMinFrameSize || size > kMaxFrameSize) return false;
  if ((header.flags & NetHeader::kNeedsCsum) != 0) {
    if ((rules.features & csum) == 0) return false;
    if (u64{header.csum_start} + header.csum_offset + sizeof(u16) > size) return false;
  } else {
    header.csum_start = header.csum_offset = 0;
  }
  if (header.gso_type != NetHeader::kGsoNone) {
    return (rules.features & segments) != 0 && header.gso_size != 0 && header.hdr_len <= size;
  }
  header.hdr_len = header.gso_size = 0;
  return (rules.features & net_feature::kMtu) == 0 || size <= u64{rules.mtu} + kLinkHeader;
}

}  // namespace

bool may_send(NetHeader& header, u64 size, const NetRules& rules) {
  header.flags &= NetHeader::kNeedsCsum;
  header.num_buffers = 0;
  // Each segment gets a checksum of its own.
  if (header.gso_type != NetHeader::kGsoNone && header.flags == 0) return false;
  return is_sound(header, size, rules, needed_to_send(header.gso_type), net_feature::kCsum);
}

bool may_receive(NetHeader& header, u64 size, const NetRules& rules) {
  const bool may_vouch = (rules.features & net_feature::kGuestCsum) != 0;
  header.flags &= NetHeader::kNeedsCsum | (may_vouch ? NetHeader::kDataValid : 0);
  return is_sound(header, size, rules, needed_to_receive(header.gso_type), net_feature::kGuestCsum);
}

}  // namespace mote::virtio
