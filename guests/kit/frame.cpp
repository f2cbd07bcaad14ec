// SPDX-License-Identifier: Apache-2.0
// Ethernet frames and what is in them. Any vCPU.
#include "guests/kit/frame.hpp"

#include "guests/kit/command_line.hpp"

namespace kit::frame {
namespace {

// IPv4 [RFC 791 3.1].
constexpr u32 kTotalLength = 2;
constexpr u32 kFragment = 6;
constexpr u32 kTimeToLive = 8;
constexpr u32 kProtocol = 9;
constexpr u32 kHeaderChecksum = 10;
constexpr u32 kSource = 12;
constexpr u32 kDestination = 16;
constexpr u8 kVersionAndWords = 0x45;
constexpr u16 kFragmentMask = 0x3FFF;  // more fragments, and an offset
constexpr u16 kDoNotFragment = 0x4000;

// IPv6 [RFC 8200 3].
constexpr u32 kPayloadLength = 4;
constexpr u32 kNextHeader = 6;
constexpr u32 kHopLimit = 7;
constexpr u32 kSource6 = 8;
constexpr u32 kDestination6 = 24;
constexpr u32 kVersion6 = 6U << 28;
constexpr u32 kPrefix = 0x20010DB8;  // 2001:db8::/32

constexpr u8 kEchoRequest = 8;
constexpr u32 kIcmpSize = 8;
constexpr u16 kArpRequest = 1;
constexpr u16 kArpReply = 2;
constexpr u16 kAckPush = 0x5018;  // five words of header, two flags

u16 fold(u64 total) {
  while (total >> 16 != 0) total = (total & 0xFFFF) + (total >> 16);
  return static_cast<u16>(total);
}

void swap(u8* left, u8* right, u32 size) {
  for (u32 i = 0; i < size; i++) {
    const u8 kept = left[i];
    left[i] = right[i];
    right[i] = kept;
  }
}

// The IPv4 header of a frame that holds an unfragmented packet without options of this protocol,
// with at least `least` bytes behind the header; nullptr for all else.
u8* packet(u8* frame, u32 size, u8 protocol, u32 least) {
  if (size < kEthernetSize + kIpv4Size + least || type(frame) != kIpv4) return nullptr;
  u8* ip = frame + kEthernetSize;
  const u32 total = load16(ip + kTotalLength);
  const bool is_right = ip[0] == kVersionAndWords && total >= kIpv4Size + least &&
                        total <= size - kEthernetSize && ip[kProtocol] == protocol &&
                        (load16(ip + kFragment) & kFragmentMask) == 0 &&
                        sum(ip, kIpv4Size) == 0xFFFF;
  return is_right ? ip : nullptr;
}

bool is_ipv6(const u8* ip) {
  return ip[0] >> 4 == 6;
}
u32 size_of_header(const u8* ip) {
  return is_ipv6(ip) ? kIpv6Size : kIpv4Size;
}

// The same of IPv6, without extension headers.
const u8* packet6(const u8* frame, u32 size, u8 protocol, u32 least) {
  if (size < kEthernetSize + kIpv6Size + least || type(frame) != kIpv6) return nullptr;
  const u8* ip = frame + kEthernetSize;
  const u32 length = load16(ip + kPayloadLength);
  const bool is_right = is_ipv6(ip) && length >= least &&
                        length <= size - kEthernetSize - kIpv6Size && ip[kNextHeader] == protocol;
  return is_right ? ip : nullptr;
}

void turn_around(u8* frame, u8* ip) {
  swap_macs(frame);
  swap(ip + kSource, ip + kDestination, 4);
}

bool take_digits(std::string_view& text, u32 base, u32 limit, u32& value) {
  value = 0;
  u32 digits = 0;
  for (; !text.empty(); text.remove_prefix(1), digits++) {
    const char c = text.front();
    u32 digit = base;
    if (c >= '0' && c <= '9') digit = static_cast<u32>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<u32>(c - 'a') + 10;
    if (digit >= base) break;
    value = value * base + digit;
    if (value > limit) return false;
  }
  return digits > 0;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

u16 sum(const u8* data, u32 size, u16 start) {
  // Words as they lie in memory: ones' complement does not mind until the end [RFC 1071 2 (B)].
  u64 total = 0;
  u32 i = 0;
  for (; i + 4 <= size; i += 4) {
    u32 word;
    __builtin_memcpy(&word, data + i, 4);
    total += word;
  }
  for (; i + 2 <= size; i += 2) total += u32{data[i]} | u32{data[i + 1]} << 8;
  if (i < size) total += data[i];
  const u16 folded = fold(total);
  return fold(u64{start} + static_cast<u16>(folded << 8 | folded >> 8));
}

u16 pseudo_header_sum(const u8* ip, u32 size) {
  if (is_ipv6(ip)) return fold(u64{sum(ip + kSource6, 32)} + ip[kNextHeader] + size);
  return fold(u64{sum(ip + kSource, 8)} + ip[kProtocol] + size);
}

void write_ethernet(u8* frame, const Mac& to, const Mac& from, u16 type) {
  __builtin_memcpy(frame, &to, sizeof(to));
  __builtin_memcpy(frame + sizeof(to), &from, sizeof(from));
  store16(frame + 12, type);
}

void swap_macs(u8* frame) {
  swap(frame, frame + sizeof(Mac), sizeof(Mac));
}

void write_ipv4(u8* ip, u32 from, u32 to, u8 protocol, u32 size) {
  __builtin_memset(ip, 0, kIpv4Size);
  ip[0] = kVersionAndWords;
  store16(ip + kTotalLength, static_cast<u16>(kIpv4Size + size));
  store16(ip + kFragment, kDoNotFragment);
  ip[kTimeToLive] = 64;
  ip[kProtocol] = protocol;
  store32(ip + kSource, from);
  store32(ip + kDestination, to);
  store16(ip + kHeaderChecksum, static_cast<u16>(~sum(ip, kIpv4Size)));
}

void write_ipv6(u8* ip, u32 from, u32 to, u8 protocol, u32 size) {
  __builtin_memset(ip, 0, kIpv6Size);
  store32(ip, kVersion6);
  store16(ip + kPayloadLength, static_cast<u16>(size));
  ip[kNextHeader] = protocol;
  ip[kHopLimit] = 64;
  store32(ip + kSource6, kPrefix);
  store32(ip + kSource6 + 12, from);
  store32(ip + kDestination6, kPrefix);
  store32(ip + kDestination6 + 12, to);
}

void write_partial_udp(u8* ip, u16 from, u16 to, u32 size) {
  u8* udp = ip + size_of_header(ip);
  const u32 whole = kUdpSize + size;
  store16(udp, from);
  store16(udp + 2, to);
  store16(udp + 4, static_cast<u16>(whole));
  store16(udp + kUdpChecksum, pseudo_header_sum(ip, whole));
}

void write_udp(u8* ip, u16 from, u16 to, u32 size) {
  write_partial_udp(ip, from, to, size);
  u8* udp = ip + size_of_header(ip);
  const auto checksum = static_cast<u16>(~sum(udp, kUdpSize + size));
  store16(udp + kUdpChecksum, checksum == 0 ? 0xFFFF : checksum);
}

void write_tcp(u8* ip, u16 from, u16 to, u32 sequence, u32 size) {
  u8* tcp = ip + size_of_header(ip);
  __builtin_memset(tcp, 0, kTcpSize);
  store16(tcp, from);
  store16(tcp + 2, to);
  store32(tcp + 4, sequence);
  store32(tcp + 8, 1);
  store16(tcp + 12, kAckPush);
  store16(tcp + 14, 0xFFFF);
  store16(tcp + kTcpChecksum, pseudo_header_sum(ip, kTcpSize + size));
}

void complete_checksum(u8* frame, u32 size, u32 start, u32 offset) {
  store16(frame + start + offset, static_cast<u16>(~sum(frame + start, size - start)));
}

Text::Text(const Mac& mac) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (u32 i = 0; i < sizeof(mac.bytes); i++) {
    text_[3 * i] = kDigits[mac.bytes[i] >> 4];
    text_[3 * i + 1] = kDigits[mac.bytes[i] & 15];
    if (3 * i + 2 < sizeof(text_)) text_[3 * i + 2] = ':';
  }
}

bool parse_ipv4(std::string_view text, u32& address) {
  address = 0;
  for (u32 i = 0; i < 4; i++) {
    u32 part = 0;
    if ((i > 0 && !take(text, '.')) || !take_digits(text, 10, 255, part)) return false;
    address = address << 8 | part;
  }
  return text.empty();
}

bool parse_mac(std::string_view text, Mac& mac) {
  for (u32 i = 0; i < sizeof(mac.bytes); i++) {
    u32 part = 0;
    if ((i > 0 && !take(text, ':')) || !take_digits(text, 16, 255, part)) return false;
    mac.bytes[i] = static_cast<u8>(part);
  }
  return text.empty();
}

bool answer_arp(u8* frame, u32 size, const Mac& mac, u32 address) {
  // Hardware Ethernet, protocol IPv4, sizes 6 and 4, operation; sender, target [RFC 826].
  if (size < kEthernetSize + kArpSize || type(frame) != kArp) return false;
  u8* arp = frame + kEthernetSize;
  const bool asks_for_us = load32(arp) == 0x00010800 && load16(arp + 4) == 0x0604 &&
                           load16(arp + 6) == kArpRequest && load32(arp + 24) == address;
  if (!asks_for_us) return false;
  write_ethernet(frame, source(frame), mac, kArp);
  store16(arp + 6, kArpReply);
  swap(arp + 8, arp + 18, 10);
  __builtin_memcpy(arp + 8, &mac, sizeof(mac));
  return true;
}

bool answer_ping(u8* frame, u32 size, u32 address) {
  u8* ip = packet(frame, size, kIcmp, kIcmpSize);
  if (ip == nullptr || load32(ip + kDestination) != address) return false;
  u8* icmp = ip + kIpv4Size;
  const u32 length = load16(ip + kTotalLength) - kIpv4Size;
  if (icmp[0] != kEchoRequest || icmp[1] != 0 || sum(icmp, length) != 0xFFFF) return false;
  turn_around(frame, ip);
  icmp[0] = 0;
  store16(icmp + 2, 0);
  store16(icmp + 2, static_cast<u16>(~sum(icmp, length)));
  return true;
}

bool answer_udp(u8* frame, u32 size, u32 address) {
  u8* ip = packet(frame, size, kUdp, kUdpSize);
  if (ip == nullptr || load32(ip + kDestination) != address) return false;
  turn_around(frame, ip);
  swap(ip + kIpv4Size, ip + kIpv4Size + 2, 2);
  return true;
}

bool has_right_checksum(const u8* frame, u32 size) {
  u8* mutable_frame = const_cast<u8*>(frame);
  const u8* ip = packet(mutable_frame, size, kUdp, kUdpSize);
  if (ip == nullptr) ip = packet6(frame, size, kUdp, kUdpSize);
  const bool is_udp = ip != nullptr;
  if (ip == nullptr) ip = packet(mutable_frame, size, kTcp, kTcpSize);
  if (ip == nullptr) ip = packet6(frame, size, kTcp, kTcpSize);
  if (ip == nullptr) return false;
  const u32 header = size_of_header(ip);
  const u32 length =
      is_ipv6(ip) ? load16(ip + kPayloadLength) : load16(ip + kTotalLength) - kIpv4Size;
  if (is_udp && load16(ip + header + kUdpChecksum) == 0) return !is_ipv6(ip);  // not in use
  return sum(ip + header, length, pseudo_header_sum(ip, length)) == 0xFFFF;
}

}  // namespace kit::frame
