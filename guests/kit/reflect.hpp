// SPDX-License-Identifier: Apache-2.0
// Frames to a host end that sends each back with its addresses swapped: what went out has to come
// in again. First vCPU, ring 3.
#pragma once

#include "guests/kit/net.hpp"
#include "guests/kit/types.hpp"

namespace kit::reflect {

/// How long a frame may take.
inline constexpr u64 kPatienceUs = 10'000'000;
/// In front of a TCP segment's data, and of a UDP datagram's.
inline constexpr u32 kTcpHeaders = frame::kEthernetSize + frame::kIpv4Size + frame::kTcpSize;
inline constexpr u32 kUdpHeaders = frame::kEthernetSize + frame::kIpv4Size + frame::kUdpSize;
/// The same over IPv6.
inline constexpr u32 kTcp6Headers = frame::kEthernetSize + frame::kIpv6Size + frame::kTcpSize;
inline constexpr u32 kUdp6Headers = frame::kEthernetSize + frame::kIpv6Size + frame::kUdpSize;

/// A buffer for one frame of any size; the same one each time.
u8* scratch();

/// Composes a frame of `size` bytes to the reflector, of the experimental type, that tells its
/// seed. At least 22 bytes.
void compose(net::Interface& nic, u8* to, u32 size, u64 seed);
/// A TCP segment or a UDP datagram with `size` bytes of data; the checksum is left to do, as the
/// header that is returned says. `segment` is for GSO, or 0. `flow` makes the port.
net::Header compose_tcp(net::Interface& nic, u8* to, u32 size, u16 segment, u16 flow = 0);
net::Header compose_udp(net::Interface& nic, u8* to, u32 size, u16 segment, u16 flow = 0);
net::Header compose_tcp6(net::Interface& nic, u8* to, u32 size, u16 segment, u16 flow = 0);
net::Header compose_udp6(net::Interface& nic, u8* to, u32 size, u16 segment, u16 flow = 0);

/// Waits for a frame of the reflector's, all others left aside.
bool await(net::Interface& nic, net::Packet& packet, u16 pair = 0, u64 microseconds = kPatienceUs);
/// What compose() was given; any number for a frame that it did not make.
u64 seed_of(const net::Packet& packet);
/// True when this is what compose() made, returned; a line tells what differs.
bool is_returned(const net::Packet& packet, u32 size, u64 seed);

/// Sends a frame that compose() makes and waits for it, those that were on their way before left
/// aside; a line tells what is wrong.
bool returns(net::Interface& nic, u32 size, u64 seed, u16 pair = 0);

/// Offset of the first byte of TCP or UDP data that is not what compose_tcp() or compose_udp() put
/// at `position` of it; `size` when all are.
u32 find_difference(const u8* data, u32 size, u32 position);

}  // namespace kit::reflect
