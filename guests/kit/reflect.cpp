// SPDX-License-Identifier: Apache-2.0
// Frames to a host end that sends each back with its addresses swapped. First vCPU, ring 3.
#include "guests/kit/reflect.hpp"

#include "guests/kit/arena.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"

namespace kit::reflect {
namespace {

constexpr u32 kFrom = 198U << 24 | 18U << 16 | 2;  // addresses for benchmarks [RFC 2544]
constexpr u32 kTo = 198U << 24 | 18U << 16 | 1;
constexpr u16 kPort = 5001;
constexpr u64 kSliceUs = 100'000;

constexpr u8 byte_at(u32 position) {
  return static_cast<u8>(position * 7 + (position >> 8));
}
constexpr u8 byte_of(u32 position, u64 seed) {
  return static_cast<u8>(byte_at(position) + seed);
}

void fill(u8* data, u32 size) {
  for (u32 i = 0; i < size; i++) data[i] = byte_at(i);
}

/// Writes the headers up to that of IP; returns where it is.
u8* begin_packet(net::Interface& nic, u8* to, u16 type, u8 protocol, u32 size) {
  frame::write_ethernet(to, frame::kReflector, nic.mac(), type);
  u8* ip = to + frame::kEthernetSize;
  const auto write = type == frame::kIpv6 ? frame::write_ipv6 : frame::write_ipv4;
  write(ip, kFrom, kTo, protocol, size);
  return ip;
}

net::Header header_for(u32 headers, u32 own, u16 checksum_offset, u8 type, u16 segment) {
  return {net::kNeedsChecksum,
          segment == 0 ? net::kNoGso : type,
          static_cast<u16>(headers),
          segment,
          static_cast<u16>(headers - own),
          checksum_offset,
          0};
}

net::Header compose_tcp_over(u16 type, net::Interface& nic, u8* to, u32 size, u16 segment,
                             u16 flow) {
  const bool is_ipv6 = type == frame::kIpv6;
  const u32 headers = is_ipv6 ? kTcp6Headers : kTcpHeaders;
  u8* ip = begin_packet(nic, to, type, frame::kTcp, frame::kTcpSize + size);
  fill(to + headers, size);
  frame::write_tcp(ip, static_cast<u16>(kPort + flow), kPort, 1, size);
  return header_for(headers, frame::kTcpSize, frame::kTcpChecksum,
                    is_ipv6 ? net::kGsoTcp6 : net::kGsoTcp4, segment);
}

net::Header compose_udp_over(u16 type, net::Interface& nic, u8* to, u32 size, u16 segment,
                             u16 flow) {
  const u32 headers = type == frame::kIpv6 ? kUdp6Headers : kUdpHeaders;
  u8* ip = begin_packet(nic, to, type, frame::kUdp, frame::kUdpSize + size);
  fill(to + headers, size);
  frame::write_partial_udp(ip, static_cast<u16>(kPort + flow), kPort, size);
  return header_for(headers, frame::kUdpSize, frame::kUdpChecksum, net::kGsoUdpL4, segment);
}

}  // namespace

u8* scratch() {
  static u8* memory = nullptr;
  if (memory == nullptr) memory = static_cast<u8*>(take_memory(frame::kMaxSize, 4096));
  return memory;
}

void compose(net::Interface& nic, u8* to, u32 size, u64 seed) {
  frame::write_ethernet(to, frame::kReflector, nic.mac(), frame::kExperimental);
  for (u32 i = frame::kEthernetSize; i < size; i++) to[i] = byte_of(i, seed);
  __builtin_memcpy(to + frame::kEthernetSize, &seed, sizeof(seed));
}

net::Header compose_tcp(net::Interface& nic, u8* to, u32 size, u16 segment, u16 flow) {
  return compose_tcp_over(frame::kIpv4, nic, to, size, segment, flow);
}
net::Header compose_udp(net::Interface& nic, u8* to, u32 size, u16 segment, u16 flow) {
  return compose_udp_over(frame::kIpv4, nic, to, size, segment, flow);
}
net::Header compose_tcp6(net::Interface& nic, u8* to, u32 size, u16 segment, u16 flow) {
  return compose_tcp_over(frame::kIpv6, nic, to, size, segment, flow);
}
net::Header compose_udp6(net::Interface& nic, u8* to, u32 size, u16 segment, u16 flow) {
  return compose_udp_over(frame::kIpv6, nic, to, size, segment, flow);
}

bool await(net::Interface& nic, net::Packet& packet, u16 pair, u64 microseconds) {
  const auto has_come = [&] {
    return nic.receive(packet, pair) && packet.size >= frame::kEthernetSize &&
           frame::source(packet.data) == frame::kReflector;
  };
  // A device that gave up does not answer any more. To ask it costs an exit, so seldom.
  for (u64 waited = 0; waited < microseconds; waited += kSliceUs) {
    if (wait_until(has_come, microseconds < kSliceUs ? microseconds : kSliceUs)) return true;
    if (nic.transport().needs_reset()) break;
  }
  return false;
}

u64 seed_of(const net::Packet& packet) {
  u64 seed = 0;
  if (packet.size >= frame::kEthernetSize + sizeof(seed)) {
    __builtin_memcpy(&seed, packet.data + frame::kEthernetSize, sizeof(seed));
  }
  return seed;
}

bool is_returned(const net::Packet& packet, u32 size, u64 seed) {
  const u64 number = seed_of(packet);
  u32 same = frame::kEthernetSize + sizeof(u64);
  while (same < packet.size && packet.data[same] == byte_of(same, seed)) same++;
  if (packet.size == size && number == seed && same == size) return true;
  print("frame ", seed, " of ", size, " bytes: frame ", number, " of ", packet.size, " came, in ",
        packet.buffers, " buffers, same up to ", same, '\n');
  return false;
}

bool returns(net::Interface& nic, u32 size, u64 seed, u16 pair) {
  static u64 serial = 0;
  const u64 own = ++serial << 32 | seed;
  compose(nic, scratch(), size, own);
  if (!nic.send(scratch(), size, pair)) {
    print("frame ", seed, " of ", size, " bytes: no room\n");
    return false;
  }
  net::Packet packet{};
  while (await(nic, packet, pair)) {
    if (seed_of(packet) == own) return is_returned(packet, size, own);
  }
  print("frame ", seed, " of ", size, " bytes: did not come back\n");
  return false;
}

u32 find_difference(const u8* data, u32 size, u32 position) {
  u32 i = 0;
  while (i < size && data[i] == byte_at(position + i)) i++;
  return i;
}

}  // namespace kit::reflect
