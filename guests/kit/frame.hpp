// SPDX-License-Identifier: Apache-2.0
// Ethernet frames and what is in them: ARP, IPv4, IPv6, ICMP, UDP, TCP, checksums. Any vCPU; in
// ring 3 it is quick everywhere.
#pragma once

#include <string_view>

#include "guests/kit/types.hpp"

namespace kit::frame {

/// A hardware address.
struct Mac {
  u8 bytes[6];
  bool operator==(const Mac&) const = default;
};
inline constexpr Mac kBroadcast{{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};
/// Where tests and benchmarks have a host end that returns what is sent to it.
inline constexpr Mac kReflector{{0x02, 0, 0, 0, 0, 0xFE}};

// Types of a frame; kExperimental is for local experiments [IEEE 802, 9.2.4].
inline constexpr u16 kIpv4 = 0x0800;
inline constexpr u16 kArp = 0x0806;
inline constexpr u16 kIpv6 = 0x86DD;
inline constexpr u16 kExperimental = 0x88B5;

// Protocols above IP; ICMP is IPv4's.
inline constexpr u8 kIcmp = 1;
inline constexpr u8 kTcp = 6;
inline constexpr u8 kUdp = 17;

// Sizes of headers without options.
inline constexpr u32 kEthernetSize = 14;
inline constexpr u32 kArpSize = 28;
inline constexpr u32 kIpv4Size = 20;
inline constexpr u32 kIpv6Size = 40;
inline constexpr u32 kUdpSize = 8;
inline constexpr u32 kTcpSize = 20;
/// The shortest frame on a wire, without its check sequence; a tap passes on shorter ones.
inline constexpr u32 kMinSize = 60;
/// The longest: an IPv4 packet of 65535 bytes.
inline constexpr u32 kMaxSize = kEthernetSize + 65535;

// Offsets of fields in their header.
inline constexpr u32 kUdpChecksum = 6;
inline constexpr u32 kTcpChecksum = 16;

// Numbers as they are on the wire: most significant byte first.
inline u16 load16(const u8* at) {
  return static_cast<u16>(at[0] << 8 | at[1]);
}
inline u32 load32(const u8* at) {
  return u32{load16(at)} << 16 | load16(at + 2);
}
inline void store16(u8* at, u16 value) {
  at[0] = static_cast<u8>(value >> 8);
  at[1] = static_cast<u8>(value);
}
inline void store32(u8* at, u32 value) {
  store16(at, static_cast<u16>(value >> 16));
  store16(at + 2, static_cast<u16>(value));
}

/// The sum of 16-bit words in ones' complement, not inverted [RFC 1071]. `start` is the sum of what
/// came before, which had an even size.
u16 sum(const u8* data, u32 size, u16 start = 0);
/// The sum over addresses, protocol and length that belongs into the checksum field of a packet
/// whose checksum is left to do. `ip` is at the header of IPv4 or IPv6, `size` that of what follows
/// it.
u16 pseudo_header_sum(const u8* ip, u32 size);

inline Mac destination(const u8* frame) {
  Mac mac;
  __builtin_memcpy(&mac, frame, sizeof(mac));
  return mac;
}
inline Mac source(const u8* frame) {
  return destination(frame + sizeof(Mac));
}
inline u16 type(const u8* frame) {
  return load16(frame + 12);
}
void write_ethernet(u8* frame, const Mac& to, const Mac& from, u16 type);
/// Exchanges source and destination.
void swap_macs(u8* frame);

/// A header without options for `size` bytes behind it, with its checksum.
void write_ipv4(u8* ip, u32 from, u32 to, u8 protocol, u32 size);
/// The same of IPv6: addresses of the documentation's prefix [RFC 3849] that end in these numbers.
void write_ipv6(u8* ip, u32 from, u32 to, u8 protocol, u32 size);
/// Behind a header of IPv4 or IPv6 at `ip`: a UDP header for `size` bytes of data that are behind
/// it already; with its checksum.
void write_udp(u8* ip, u16 from, u16 to, u32 size);
/// The same with its checksum left to do.
void write_partial_udp(u8* ip, u16 from, u16 to, u32 size);
/// A TCP segment's header (ACK, PSH) for `size` bytes of data, its checksum left to do.
void write_tcp(u8* ip, u16 from, u16 to, u32 sequence, u32 size);
/// Fills the checksum in that a partial one (as in virtio's header) leaves to do.
void complete_checksum(u8* frame, u32 size, u32 start, u32 offset);

/// A hardware address for people: "02:00:00:00:00:fe".
class Text {
 public:
  explicit Text(const Mac& mac);
  std::string_view view() const { return {text_, sizeof(text_)}; }

 private:
  char text_[17];
};

/// "10.0.2.1" as a number; false when it is none.
bool parse_ipv4(std::string_view text, u32& address);
/// "02:00:00:00:00:fe"; false when it is none.
bool parse_mac(std::string_view text, Mac& mac);

/// Turns a request into its answer, in place: ARP for `address`, ICMP echo and UDP to it. The
/// checksums stay right, done or left to do. False, and the frame is as it was, when it is none of
/// these or is malformed.
bool answer_arp(u8* frame, u32 size, const Mac& mac, u32 address);
bool answer_ping(u8* frame, u32 size, u32 address);
bool answer_udp(u8* frame, u32 size, u32 address);

/// True when a whole UDP or TCP checksum over IPv4 or IPv6 is right. Over IPv6 UDP has to have one.
bool has_right_checksum(const u8* frame, u32 size);

}  // namespace kit::frame
