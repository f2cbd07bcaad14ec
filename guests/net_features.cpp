// SPDX-License-Identifier: Apache-2.0
// net_features: what a network device offers and whether it keeps it: configuration, the control
// queue, queue pairs, resets, interrupts; checksums and segments are net_offloads'. `net=N`;
// `mac=ADDRESS`, `mtu=N`, `pairs=N` as the monitor was told (default: one pair, the others
// unchecked). Frames go to a host end that returns them (the tests' reflector, at
// 02:00:00:00:00:fe).
#include "guests/kit/command_line.hpp"
#include "guests/kit/doze.hpp"
#include "guests/kit/reflect.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/sleeper.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

using net::Config;
using virtio::Register;

constexpr u32 kMtuFrame = 1514;
constexpr u64 kQuietUs = 3'000;

net::Interface nic;
std::string_view line;
u16 pairs;
u64 offered;

bool starts(std::string_view name, const net::Wish& wish) {
  return expect(name, nic.start(wish), "status ", hex(nic.transport().status()), ", features ",
                hex(nic.features()));
}

// Features and configuration.

struct Feature {
  std::string_view name;
  u64 bit;
  u64 rests_on;  // one of these at the least [5.1.3.1]
};
constexpr Feature kFeatures[] = {
    {"features.version_1", virtio::kVersion1, 0},
    {"features.event_index", virtio::kEventIndex, 0},
    {"features.indirect", virtio::kIndirectDescriptors, 0},
    {"features.mac", net::kHasMac, 0},
    {"features.status", net::kHasStatus, 0},
    {"features.checksum", net::kHasChecksum, 0},
    {"features.partial_checksum", net::kTakesPartialChecksum, 0},
    {"features.tso4", net::kHasTso4, net::kHasChecksum},
    {"features.tso6", net::kHasTso6, net::kHasChecksum},
    {"features.guest_tso4", net::kTakesTso4, net::kTakesPartialChecksum},
    {"features.guest_tso6", net::kTakesTso6, net::kTakesPartialChecksum},
    {"features.merge", net::kMergesBuffers, 0},
    {"features.control", net::kHasControl, 0},
    {"features.guest_offloads", net::kHasGuestOffloads, net::kHasControl},
    {"features.announce", net::kHasAnnounce, net::kHasControl},
};
constexpr Feature kRests[] = {
    {"features.uso_rests", net::kHasUso, net::kHasChecksum},
    {"features.guest_uso4_rests", net::kTakesUso4, net::kTakesPartialChecksum},
    {"features.guest_uso6_rests", net::kTakesUso6, net::kTakesPartialChecksum},
    {"features.multi_queue_rests", net::kHasMultiQueue, net::kHasControl},
};

void check_features() {
  offered = nic.transport().device_features();
  print("features ", hex(offered), '\n');
  for (const Feature& each : kFeatures) {
    const bool rests = each.rests_on == 0 || (offered & each.rests_on) != 0;
    expect(each.name, (offered & each.bit) != 0 && rests, hex(offered));
  }
  for (const Feature& each : kRests) {
    expect(each.name, (offered & each.bit) == 0 || (offered & each.rests_on) != 0, hex(offered));
  }
  expect("features.multi_queue", ((offered & net::kHasMultiQueue) != 0) == (pairs > 1),
         hex(offered));
  expect("features.mtu", ((offered & net::kHasMtu) != 0) == !find_value(line, "mtu").empty(),
         hex(offered));
}

void check_config() {
  const net::Mac mac = nic.mac();
  print("mac ", frame::Text(mac).view(), '\n');
  net::Mac wanted = mac;
  const std::string_view text = find_value(line, "mac");
  expect("config.mac",
         (mac.bytes[0] & 1) == 0 &&
             (text.empty() || (frame::parse_mac(text, wanted) && wanted == mac)),
         frame::Text(mac).view());
  // The driver writes it by a command only [5.1.4].
  for (u32 i = 0; i < 6; i++) mmio_write<u8>(nic.transport().config_address(i), 0x5A);
  expect("config.mac_is_kept", nic.mac() == mac, frame::Text(nic.mac()).view());
  const auto status = nic.config<u16>(Config::kStatus);
  expect_equal("config.status", u64{status} & net::kLinkUp, u64{net::kLinkUp});
  if (nic.has(net::kHasMultiQueue)) {
    expect_equal("config.pairs", nic.config<u16>(Config::kPairsMax), pairs);
  }
  if (nic.has(net::kHasMtu)) {
    expect_equal("config.mtu", u64{nic.config<u16>(Config::kMtu)}, find_number(line, "mtu", 0));
  }
  u32 wrong = 0;
  for (u32 i = 0; i < 8; i += 4) {
    const u32 word = nic.transport().config<u32>(i);
    for (u32 j = 0; j < 4; j++) {
      wrong += nic.transport().config<u8>(i + j) != (word >> 8 * j & 0xFF);
    }
  }
  expect("config.widths", wrong == 0, wrong, " bytes differ from their word");
}

void check_queues() {
  u32 missing = 0;
  const auto queues = static_cast<u16>(nic.control_index() + 1);
  for (u16 i = 0; i < queues; i++) {
    const u32 max = nic.transport().queue_size_max(i);
    missing += max < 2 || max > 32768 || (max & (max - 1)) != 0;
  }
  expect("queues.sizes", missing == 0, missing, " of ", queues, " are missing or odd");
  expect_equal("queues.behind_the_last", nic.transport().queue_size_max(queues), 0U);
}

// The control queue.

void check_commands() {
  if (nic.has(net::kHasAnnounce)) {
    // Nothing was announced: okay and an error are both answers.
    const u8 answer = nic.control(net::kClassAnnounce, net::kAnnounceAck, nullptr, 0);
    expect("control.announce_ack", answer == net::kOk || answer == net::kError, answer);
    expect_equal("control.announce_is_over", u64{nic.config<u16>(Config::kStatus)} & net::kAnnounce,
                 u64{0});
  }
  const u64 zero = 0;
  u32 wrong = 0;
  for (const u8 unknown : {u8{6}, u8{77}, u8{255}}) {
    wrong += nic.control(unknown, 0, &zero, 1) != net::kError;
  }
  for (const u8 known : {net::kClassAnnounce, net::kClassMultiQueue, net::kClassOffloads}) {
    wrong += nic.control(known, 99, &zero, sizeof(zero)) != net::kError;
  }
  expect("control.unknown_commands", wrong == 0, wrong, " are not refused");
  expect("control.goes_on", reflect::returns(nic, 100, 1), "see above");
}

// Without MQ the control queue is the third [5.1.2].
void check_control_place() {
  if (!starts("control.start_single", {.features = ~net::kHasMultiQueue})) return;
  const u64 offloads = nic.features() & net::kSwitchable;
  expect_equal("control.is_third",
               nic.control(net::kClassOffloads, net::kSetOffloads, &offloads, sizeof(offloads)),
               net::kOk);
  expect("control.single_goes_on", reflect::returns(nic, 100, 2), "see above");
}

// Queue pairs.

// Sends `count` flows, each by its pair, and tells by which pairs they come back.
u32 pairs_in_use(u16 senders, u16 receivers, u32 count) {
  u32 seen = 0;
  net::Packet packet{};
  for (u32 round = 0; round < 2; round++) {
    for (u32 i = 0; i < count; i++) {
      const net::Header header =
          reflect::compose_udp(nic, reflect::scratch(), 100 + i, 0, static_cast<u16>(i));
      if (!nic.send(header, reflect::scratch(), reflect::kUdpHeaders + 100 + i,
                    static_cast<u16>(i % senders))) {
        return 0;
      }
      u32 came_by = 0;
      const bool came = wait_until(
          [&] {
            for (u16 pair = 0; pair < receivers; pair++) {
              if (!reflect::await(nic, packet, pair, 1)) continue;
              came_by = 1U << pair;
              return true;
            }
            return false;
          },
          reflect::kPatienceUs);
      if (!came || packet.size != reflect::kUdpHeaders + 100 + i) {
        print("flow ", i, " did not come back\n");
        return 0;
      }
      if (round > 0) seen |= came_by;
    }
  }
  return seen;
}

void check_pairs() {
  if (pairs == 1) return;
  if (!starts("pairs.start", {.pairs = pairs})) return;
  u32 seen = pairs_in_use(pairs, pairs, 32);
  const u32 all = (1U << pairs) - 1;
  // A tap sends a flow where it last came from.
  expect("pairs.all", seen == all, "in use: ", hex(seen));
  for (u16 count = 1; count <= pairs; count++) {
    expect_equal("pairs.set", nic.use_pairs(count), net::kOk);
    seen = pairs_in_use(count, pairs, 16);
    expect("pairs.only_these", seen != 0 && seen >> count == 0, "of ", count,
           " in use: ", hex(seen));
  }
  expect_equal("pairs.none", nic.use_pairs(0), net::kError);
  expect_equal("pairs.too_many", nic.use_pairs(static_cast<u16>(pairs + 1)), net::kError);
  expect_equal("pairs.far_too_many", nic.use_pairs(0x8000), net::kError);
  expect("pairs.go_on", pairs_in_use(pairs, pairs, 16) == all, "see above");
  if (starts("pairs.start_unasked", {.pairs = pairs, .uses_pairs = false})) {
    // Until it is told the device uses the first [5.1.6.5.5].
    expect_equal("pairs.first_only", pairs_in_use(1, pairs, 16), 1U);
  }
}

// Resets.

void check_queue_reset() {
  if (!nic.has(virtio::kRingReset)) return skip("reset.queue", "not offered");
  bool holds = true;
  for (u32 round = 0; round < 10 && holds; round++) {
    const u16 index =
        round % 2 == 0 ? net::Interface::receive_index(0) : net::Interface::transmit_index(0);
    for (u64 i = 0; i < 20; i++) {
      reflect::compose(nic, reflect::scratch(), 1000, i);
      nic.send(reflect::scratch(), 1000);
    }
    holds = nic.transport().reset_queue(index) && nic.start_queue(index, 256);
    if (round % 2 == 0) {
      holds = holds && nic.fill(0);
      nic.publish(index);
    }
    for (u32 i = 0; i < 10; i++) holds = holds && reflect::returns(nic, 500 + i, i);
  }
  expect("reset.queue", holds, "status ", hex(nic.transport().status()));
}

void check_device_reset() {
  bool holds = true;
  for (u32 round = 0; round < 20 && holds; round++) {
    for (u64 i = 0; i < 30; i++) {
      reflect::compose(nic, reflect::scratch(), kMtuFrame, i);
      nic.send(reflect::scratch(), kMtuFrame);
    }
    holds = nic.transport().reset();
    holds = holds && nic.transport().get(Register::kInterruptStatus) == 0 && nic.start({});
    for (u32 i = 0; i < 3; i++) holds = holds && reflect::returns(nic, 200 + i, i);
  }
  expect("reset.device", holds, "status ", hex(nic.transport().status()));
}

// Interrupts.

void be_quiet() {
  const Deadline quiet(kQuietUs);
  while (!quiet.has_passed()) pause();
}

u64 interrupts_for(u32 frames, bool asks) {
  be_quiet();
  const u64 before = doze::interrupts();
  u32 late = 0;
  for (u32 i = 0; i < frames && late < 3; i++) {
    const u64 now = doze::interrupts();
    if (asks) nic.receive_queue().request_interrupt();
    late += !reflect::returns(nic, 200, i);
    if (asks) late += !wait_until([now] { return doze::interrupts() > now; }, reflect::kPatienceUs);
  }
  be_quiet();
  if (late > 0) print(late, " late\n");
  return doze::interrupts() - before;
}

void check_interrupts(std::string_view asked, std::string_view suppressed, u64 features) {
  constexpr u32 kFrames = 30;
  if (!starts("interrupts.start", {.features = features})) return;
  // Behind this frame none is left of what was sent before.
  expect("interrupts.frame", reflect::returns(nic, 200, 0), "see above");
  const u64 some = interrupts_for(kFrames, true);
  expect(asked, some == kFrames, some, " for ", kFrames, " frames");
  nic.receive_queue().suppress_interrupts();
  const u64 none = interrupts_for(kFrames, false);
  expect(suppressed, none == 0, none);
}

u64 test(u64) {
  check_features();
  if (!starts("features.start", {})) return 0;
  check_config();
  check_queues();
  check_commands();
  check_control_place();
  check_pairs();
  starts("reset.start", {});
  check_queue_reset();
  check_device_reset();
  check_interrupts("interrupts.asked", "interrupts.suppressed", ~u64{0});
  check_interrupts("interrupts.asked_by_flag", "interrupts.suppressed_by_flag",
                   ~virtio::kEventIndex);
  expect("features.well_formed", nic.malformed() == 0, nic.malformed(),
         " times, at last: ", nic.malformed_reason());
  return 0;
}

}  // namespace

void guest_main(const BootInfo& info) {
  line = info.command_line;
  tsc_khz();
  pairs = static_cast<u16>(find_number(line, "pairs", 1));
  if (!nic.find(info)) return;
  sleeper::prepare(nic.transport());
  enable_interrupts();
  run_in_ring3(test, 0);
  disable_interrupts();
  nic.transport().reset();
  done();
}

}  // namespace kit
