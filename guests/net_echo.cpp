// SPDX-License-Identifier: Apache-2.0
// net_echo: answers ARP, ICMP echo and UDP (any port) for `address=10.77.0.2` and returns all other
// frames that are sent to its hardware address, with virtio's header as it came. `net=N`,
// `queues=1` pairs, `wait=irq|poll`, `mergeable=1|0`, `offloads=1|0` (large frames and partial
// checksums), `depth=256` receive buffers of each queue, `buffer=BYTES` of each. Ends `seconds=30`
// after it printed `ready MAC`, or at a UDP datagram that says `end`; then tells what came in lines
// `result name value unit`.
#include "guests/kit/command_line.hpp"
#include "guests/kit/doze.hpp"
#include "guests/kit/net.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/sleeper.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

constexpr u32 kDefaultAddress = 10U << 24 | 77U << 16 | 2;

net::Interface nic;
net::Mac mac;
u32 address = kDefaultAddress;
u16 queues;
bool sleeps;
u64 ticks;

struct Counts {
  u64 arp = 0;
  u64 ping = 0;
  u64 udp = 0;
  u64 returned = 0;
  u64 ignored = 0;
  u64 bytes = 0;
  u64 large = 0;   // with a GSO type
  u64 merged = 0;  // in more than one buffer
  u64 wrong_checksums = 0;
  u64 unsent = 0;
};
Counts counts;
u64 in_queue[net::Interface::kMaxPairs];
bool is_over;

// The datagram's data; nothing where it is none.
std::string_view udp_data(const net::Packet& packet) {
  constexpr u32 kBefore = frame::kEthernetSize + frame::kIpv4Size + frame::kUdpSize;
  const u32 length = frame::load16(packet.data + kBefore - frame::kUdpSize + 4);
  if (length < frame::kUdpSize || kBefore - frame::kUdpSize + length > packet.size) return {};
  return {reinterpret_cast<const char*>(packet.data + kBefore), length - frame::kUdpSize};
}

void check_checksum(const net::Packet& packet) {
  const bool is_told = (packet.header.flags & (net::kNeedsChecksum | net::kDataValid)) != 0;
  if (!is_told && !frame::has_right_checksum(packet.data, packet.size)) counts.wrong_checksums++;
}

void answer(net::Packet& packet, u16 pair) {
  counts.bytes += packet.size;
  in_queue[pair]++;
  if (packet.header.gso_type != net::kNoGso) counts.large++;
  if (packet.buffers > 1) counts.merged++;
  if (frame::answer_arp(packet.data, packet.size, mac, address)) {
    counts.arp++;
  } else if (packet.size < frame::kEthernetSize || frame::destination(packet.data) != mac) {
    counts.ignored++;
    return;
  } else if (frame::answer_ping(packet.data, packet.size, address)) {
    counts.ping++;
  } else if (frame::answer_udp(packet.data, packet.size, address)) {
    check_checksum(packet);
    if (udp_data(packet) == "end") {
      is_over = true;
      return;
    }
    counts.udp++;
  } else {
    frame::swap_macs(packet.data);
    counts.returned++;
  }
  net::Header header = packet.header;
  header.flags &= net::kNeedsChecksum;
  header.buffers = 0;
  if (!nic.send(header, packet.data, packet.size, pair)) counts.unsent++;
}

void sleep() {
  bool is_idle = true;
  for (u16 q = 0; q < queues; q++) is_idle &= nic.receive_queue(q).request_interrupt();
  if (is_idle) doze::sleep();
  if (nic.has(virtio::kEventIndex)) return;
  for (u16 q = 0; q < queues; q++) nic.receive_queue(q).suppress_interrupts();
}

u64 serve(u64) {
  for (u16 q = 0; q < queues; q++) nic.receive_queue(q).suppress_interrupts();
  print("ready ", frame::Text(mac).view(), '\n');
  const u64 end = rdtsc() + ticks;
  net::Packet packet{};
  while (!is_over && rdtsc() < end) {
    bool was_busy = false;
    for (u16 q = 0; q < queues; q++) {
      // A bounded turn, so that no queue waits for another.
      for (u32 i = 0; i < 64 && !is_over && nic.receive_queue(q).has_used(); i++) {
        was_busy = true;
        if (nic.receive(packet, q)) answer(packet, q);
      }
    }
    if (!was_busy && sleeps) sleep();
  }
  for (u16 q = 0; q < queues; q++) {
    expect("net_echo.drains", nic.drain(q), "frames of pair ", q, " are not used");
  }
  return 0;
}

void report() {
  print("result arp ", counts.arp, " count\n");
  print("result ping ", counts.ping, " count\n");
  print("result udp ", counts.udp, " count\n");
  print("result returned ", counts.returned, " count\n");
  print("result ignored ", counts.ignored, " count\n");
  print("result bytes ", counts.bytes, " B\n");
  print("result large ", counts.large, " count\n");
  print("result merged ", counts.merged, " count\n");
  for (u16 q = 0; q < queues; q++) print("result in_queue_", q, ' ', in_queue[q], " count\n");
  print("result interrupts ", doze::interrupts(), " count\n");
  print("result timer_interrupts ", sleeper::timer_interrupts(), " count\n");
  print("result kicks ", nic.kicks(), " count\n");
  expect("net_echo.well_formed", nic.malformed() == 0, nic.malformed(),
         " times; the last: ", nic.malformed_reason());
  expect("net_echo.checksums", counts.wrong_checksums == 0, counts.wrong_checksums, " are wrong");
  expect("net_echo.sent", counts.unsent == 0, counts.unsent, " found no room");
  const u32 status = nic.transport().status();
  expect("net_echo.status", (status & virtio::kNeedsReset) == 0, hex(status));
}

bool start(std::string_view line) {
  net::Wish wish;
  wish.pairs = queues;
  if (find_number(line, "mergeable", 1) == 0) wish.features &= ~net::kMergesBuffers;
  if (find_number(line, "offloads", 1) == 0) {
    wish.features &= ~(net::kTakesPartialChecksum | net::kTakesLarge);
  }
  wish.buffers = static_cast<u16>(find_number(line, "depth", 256));
  wish.queue_size = wish.buffers < 32 ? 32 : virtio::Virtqueue::kMaxSize;
  wish.buffer_size = static_cast<u32>(find_number(line, "buffer", 0));
  const bool is_up = nic.start(wish);
  mac = nic.mac();
  return expect("net_echo.start", is_up, "status ", hex(nic.transport().status()), ", features ",
                hex(nic.features()));
}

}  // namespace

void guest_main(const BootInfo& info) {
  const std::string_view line(info.command_line);
  ticks = find_number(line, "seconds", 30) * 1000 * tsc_khz();
  queues = static_cast<u16>(find_number(line, "queues", 1));
  sleeps = find_value(line, "wait") != "poll";
  const std::string_view text = find_value(line, "address");
  if (!text.empty() && !frame::parse_ipv4(text, address)) {
    expect("net_echo.address", false, text);
    return;
  }
  if (!nic.find(info) || !start(line)) return;
  if (sleeps) {
    sleeper::prepare(nic.transport());
    enable_interrupts();
  }
  run_in_ring3(serve, 0);
  disable_interrupts();
  report();
  nic.transport().reset();
  done();
}

}  // namespace kit
