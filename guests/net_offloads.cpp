// SPDX-License-Identifier: Apache-2.0
// net_offloads: checksums and segments that a network device leaves to do or does: TCP and UDP over
// IPv4 and IPv6, of a driver that takes large frames and of one that takes none, and switched while
// frames flow. `net=N`. Frames go to a host end that returns them (the tests' reflector, at
// 02:00:00:00:00:fe): whole where the driver takes them so, else the host cuts and sums them.
#include "guests/kit/reflect.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

constexpr u32 kMtuFrame = 1514;
constexpr u16 kSegment = 1428;  // with each kind of headers it is less than the MTU

net::Interface nic;

bool starts(std::string_view name, const net::Wish& wish) {
  return expect(name, nic.start(wish), "status ", hex(nic.transport().status()), ", features ",
                hex(nic.features()));
}

struct Kind {
  std::string_view name;
  net::Header (*compose)(net::Interface&, u8*, u32, u16, u16);
  u32 headers;
  u64 sends;  // the features that large ones need, out and in
  u64 takes;
};
constexpr Kind kTcp4{"tcp4", reflect::compose_tcp, reflect::kTcpHeaders, net::kHasTso4,
                     net::kTakesTso4};
constexpr Kind kTcp6{"tcp6", reflect::compose_tcp6, reflect::kTcp6Headers, net::kHasTso6,
                     net::kTakesTso6};
constexpr Kind kUdp4{"udp4", reflect::compose_udp, reflect::kUdpHeaders, net::kHasUso,
                     net::kTakesUso4};
constexpr Kind kUdp6{"udp6", reflect::compose_udp6, reflect::kUdp6Headers, net::kHasUso,
                     net::kTakesUso6};
constexpr const Kind* kKinds[] = {&kTcp4, &kTcp6, &kUdp4, &kUdp6};

// What came back of a packet: its bytes of data are all there, in order, with right checksums.
struct Pieces {
  u32 count = 0;
  u32 largest = 0;
  u32 bytes = 0;
  bool is_right = true;
  net::Header first{};
};

/// Does what the header leaves to do; false when it makes no sense.
bool complete(net::Packet& packet) {
  const net::Header& header = packet.header;
  if ((header.flags & net::kNeedsChecksum) == 0) return true;
  if (u32{header.checksum_start} + header.checksum_offset + 2 > packet.size) {
    print("the checksum is outside the frame: ", header.checksum_start, " + ",
          header.checksum_offset, '\n');
    return false;
  }
  frame::complete_checksum(packet.data, packet.size, header.checksum_start, header.checksum_offset);
  return true;
}

Pieces collect(u32 size, u32 headers) {
  Pieces pieces;
  net::Packet packet{};
  while (pieces.bytes < size && pieces.is_right && reflect::await(nic, packet)) {
    if (pieces.count++ == 0) pieces.first = packet.header;
    if (packet.size > pieces.largest) pieces.largest = packet.size;
    const bool has_sum = complete(packet) && frame::has_right_checksum(packet.data, packet.size);
    const u32 length = packet.size < headers ? 0 : packet.size - headers;
    const u32 same = reflect::find_difference(packet.data + headers, length, pieces.bytes);
    pieces.is_right = has_sum && length > 0 && same == length;
    if (!pieces.is_right) {
      print("piece ", pieces.count, " of ", packet.size, " bytes: checksum ",
            has_sum ? "right" : "wrong", ", same up to ", same, '\n');
    }
    pieces.bytes += length;
  }
  pieces.is_right &= pieces.bytes == size;
  return pieces;
}

/// One frame of each kind whose checksum is left to do.
void check_checksum(std::string_view name, bool may_be_partial) {
  constexpr u32 kSize = 999;
  u32 flags = 0;
  u32 right = 0;
  for (const Kind* kind : kKinds) {
    const net::Header header = kind->compose(nic, reflect::scratch(), kSize, 0, 0);
    if (!nic.send(header, reflect::scratch(), kind->headers + kSize)) break;
    const Pieces pieces = collect(kSize, kind->headers);
    flags |= pieces.first.flags;
    right += pieces.is_right;
  }
  const bool holds = may_be_partial || (flags & net::kNeedsChecksum) == 0;
  expect(name, holds && right == 4, "flags ", hex(flags), ", ", right, " of 4 are right");
}

/// One large packet out; it comes back whole, or in pieces of the MTU.
void check_large(std::string_view name, const Kind& kind, u32 size, bool comes_whole) {
  if (!nic.has(kind.sends)) return skip(name, kind.name, " segments are not offered");
  const net::Header header = kind.compose(nic, reflect::scratch(), size, kSegment, 0);
  const bool is_sent = nic.send(header, reflect::scratch(), kind.headers + size);
  const Pieces pieces = collect(size, kind.headers);
  const u32 count = comes_whole ? 1 : (size + kSegment - 1) / kSegment;
  bool holds = is_sent && pieces.is_right && pieces.count == count;
  if (comes_whole) {
    holds &= pieces.first.gso_type == header.gso_type && pieces.first.gso_size == kSegment &&
             (pieces.first.flags & net::kNeedsChecksum) != 0;
  } else {
    holds &= pieces.first.gso_type == net::kNoGso && pieces.largest <= kMtuFrame;
  }
  expect(name, holds, pieces.count, " pieces instead of ", count, ", ", pieces.bytes, " bytes of ",
         size, ", GSO type ", pieces.first.gso_type, " size ", pieces.first.gso_size, " flags ",
         hex(pieces.first.flags));
}

// A frame of 65535 bytes: Linux cuts what is longer before it gets to a tap.
constexpr u32 largest(const Kind& kind) {
  return 65535 - kind.headers;
}
constexpr u32 kDatagrams = 25 * kSegment;  // Linux takes 64 of them at most

void check_offloads() {
  check_checksum("offload.checksum", true);
  check_large("offload.tcp4_of_5000", kTcp4, 5000, nic.has(net::kTakesTso4));
  check_large("offload.tcp4_of_64k", kTcp4, largest(kTcp4), nic.has(net::kTakesTso4));
  check_large("offload.tcp6_of_5000", kTcp6, 5000, nic.has(net::kTakesTso6));
  check_large("offload.tcp6_of_64k", kTcp6, largest(kTcp6), nic.has(net::kTakesTso6));
  check_large("offload.udp4", kUdp4, kDatagrams, nic.has(net::kTakesUso4));
  check_large("offload.udp6", kUdp6, kDatagrams, nic.has(net::kTakesUso6));
  if (starts("offload.start_with_pages", {.buffer_size = 4096})) {
    check_large("offload.tcp4_in_pages", kTcp4, largest(kTcp4), true);
    check_large("offload.tcp6_in_pages", kTcp6, largest(kTcp6), true);
  }
  if (starts("offload.start_unmerged", {.features = ~net::kMergesBuffers})) {
    check_large("offload.tcp4_unmerged", kTcp4, largest(kTcp4), true);
    check_large("offload.tcp6_unmerged", kTcp6, largest(kTcp6), true);
  }
  if (starts("offload.start_small", {.features = ~net::kTakesLarge})) {
    check_checksum("offload.checksum_without_large", true);
    check_large("offload.tcp4_is_cut", kTcp4, largest(kTcp4), false);
    check_large("offload.tcp6_is_cut", kTcp6, largest(kTcp6), false);
    check_large("offload.udp4_is_cut", kUdp4, kDatagrams, false);
    check_large("offload.udp6_is_cut", kUdp6, kDatagrams, false);
  }
  const u64 nothing = ~net::kTakesLarge & ~net::kTakesPartialChecksum;
  if (starts("offload.start_whole", {.features = nothing})) {
    check_checksum("offload.checksum_is_done", false);
    check_large("offload.tcp4_is_cut_and_summed", kTcp4, 20000, false);
    check_large("offload.tcp6_is_cut_and_summed", kTcp6, 20000, false);
    check_large("offload.udp6_is_cut_and_summed", kUdp6, kDatagrams, false);
  }
}

u8 set_offloads(u64 offloads) {
  return nic.control(net::kClassOffloads, net::kSetOffloads, &offloads, sizeof(offloads));
}

void check_switches() {
  if (!starts("switch.start", {})) return;
  if (!nic.has(net::kHasGuestOffloads)) return skip("switch.offloads", "not offered");
  const u64 all = nic.features() & net::kSwitchable;
  expect_equal("switch.off", set_offloads(0), net::kOk);
  check_checksum("switch.checksum_is_done", false);
  check_large("switch.tcp4_is_cut", kTcp4, 20000, false);
  check_large("switch.tcp6_is_cut", kTcp6, 20000, false);
  // One version of IP alone.
  expect_equal("switch.only_tcp4", set_offloads(net::kTakesPartialChecksum | net::kTakesTso4),
               net::kOk);
  check_large("switch.tcp4_alone_is_whole", kTcp4, 20000, true);
  check_large("switch.tcp6_alone_is_cut", kTcp6, 20000, false);
  expect_equal("switch.only_tcp6", set_offloads(net::kTakesPartialChecksum | net::kTakesTso6),
               net::kOk);
  check_large("switch.tcp4_alone_is_cut", kTcp4, 20000, false);
  check_large("switch.tcp6_alone_is_whole", kTcp6, 20000, true);
  expect_equal("switch.on", set_offloads(all), net::kOk);
  check_large("switch.tcp4_is_whole", kTcp4, 20000, true);
  check_large("switch.tcp6_is_whole", kTcp6, 20000, true);
  expect_equal("switch.unknown", set_offloads(all | u64{1} << 63), net::kError);
  expect_equal("switch.no_offload", set_offloads(net::kHasMac), net::kError);
  check_large("switch.tcp4_is_still_whole", kTcp4, 20000, true);
  starts("switch.start_without_large", {.features = ~net::kTakesLarge});
  expect_equal("switch.not_agreed", set_offloads(net::kTakesTso4), net::kError);
}

u64 test(u64) {
  if (!starts("offload.start", {})) return 0;
  check_offloads();
  check_switches();
  expect("offload.well_formed", nic.malformed() == 0, nic.malformed(),
         " times, at last: ", nic.malformed_reason());
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  tsc_khz();
  if (!nic.find(info)) return;
  run_in_ring3(test, 0);
  nic.transport().reset();
  done();
}

}  // namespace kit
