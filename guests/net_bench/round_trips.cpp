// SPDX-License-Identifier: Apache-2.0
#include "guests/net_bench/round_trips.hpp"

#include "guests/kit/print.hpp"
#include "guests/kit/time.hpp"
#include "guests/net_bench/traffic.hpp"

namespace kit::net_bench {
namespace {

constexpr u64 kLostMs = 100;
constexpr u32 kBuckets = 40'000;
constexpr u64 kBucketNs = 100;  // the last bucket: 4 ms or more
u32 histogram[kBuckets];
u64 shortest_ns;
u64 total_ns;

/// True when the frame with this number is among what came.
bool has_come(u64 number) {
  Slots& slots = received[0];
  virtio::Used used{};
  bool is_here = false;
  while (!is_here && nic.receive_queue().pop_raw(used)) {
    const auto head = static_cast<u16>(used.head);
    const u8* data = slot_memory(slots, head) + net::kHeaderSize;
    u64 got;
    __builtin_memcpy(&got, data + kNumberAt, sizeof(got));
    is_here = used.length >= net::kHeaderSize + frame::kMinSize &&
              frame::type(data) == frame::kExperimental && got == number;
    offer(net::Interface::receive_index(0), slots, head);
  }
  return is_here;
}

bool round_trip() {
  virtio::Used used{};
  const u64 begin = rdtsc();
  const u64 limit = begin + kLostMs * tsc_khz();
  const u64 number = number_frame(slot_memory(sent[0], 0) + net::kHeaderSize);
  offer(net::Interface::transmit_index(0), sent[0], 0);
  u64 now = begin;
  while (!has_come(number)) {
    if (settings.sleeps) sleep();
    now = rdtsc();
    if (now < limit) continue;
    counts.lost++;
    // The slot is needed again, whatever became of the frame.
    wait_until([&] { return nic.transmit_queue().pop_raw(used); }, kLostMs * 1000);
    return false;
  }
  const u64 ns = tsc_to_ns(rdtsc() - begin);
  if (!wait_until([&] { return nic.transmit_queue().pop_raw(used); }, kLostMs * 1000)) {
    counts.errors++;
  }
  counts.frames++;
  counts.bytes += settings.size;
  total_ns += ns;
  if (ns < shortest_ns) shortest_ns = ns;
  histogram[ns / kBucketNs < kBuckets ? ns / kBucketNs : kBuckets - 1]++;
  return true;
}

void print_us(std::string_view name, u64 ns) {
  const u64 hundredths = ns / 10 % 100;
  print("result ", name, ' ', ns / 1000, hundredths < 10 ? ".0" : ".", hundredths, " us\n");
}

u64 percentile_ns(u64 percent) {
  const u64 wanted = counts.frames * percent / 100;
  u64 seen = 0;
  for (u32 i = 0; i < kBuckets; i++) {
    seen += histogram[i];
    if (seen > wanted) return i * kBucketNs + kBucketNs / 2;
  }
  return 0;
}

}  // namespace

void prepare_round_trips() {
  prepare_transmit(0, 1);
  prepare_receive(0);
}

u64 run_round_trips(u64 ticks) {
  for (u32& bucket : histogram) bucket = 0;
  shortest_ns = ~u64{0};
  total_ns = 0;
  const u64 begin = rdtsc();
  while (rdtsc() - begin < ticks && counts.lost < 20) round_trip();
  return rdtsc() - begin;
}

void report_round_trips() {
  print_us("rtt_mean", counts.frames == 0 ? 0 : total_ns / counts.frames);
  print_us("rtt_min", counts.frames == 0 ? 0 : shortest_ns);
  print_us("rtt_p50", percentile_ns(50));
  print_us("rtt_p99", percentile_ns(99));
}

}  // namespace kit::net_bench
