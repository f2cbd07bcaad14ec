// SPDX-License-Identifier: Apache-2.0
// What a network device did with something that no driver should do. First vCPU, ring 3.
#include "guests/kit/net_victim.hpp"

#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"

namespace kit::net_victim {
namespace {

constexpr u64 kSliceUs = 500;
constexpr u32 kGoodSize = 700;
constexpr u64 kPatienceUs = 10'000'000;

std::string_view describe(u32 seen) {
  switch (seen) {
    case kReset:
      return "needs reset";
    case kUsed:
      return "used";
    case kOkay:
      return "okay";
    case kRefusal:
      return "refusal";
    case kSilence:
      return "silence";
    default:
      return "something else";
  }
}

}  // namespace

bool Victim::prepare(net::Interface& nic) {
  nic_ = &nic;
  return witness_.prepare() && reflect::scratch() != nullptr && recovers();
}

u32 Victim::watch(u16 queue, u64 patience_us) {
  const virtio::Virtqueue& ring = nic_->queue(queue);
  for (u64 waited = 0; waited < patience_us; waited += kSliceUs) {
    if (wait_until([&ring] { return ring.has_used(); }, kSliceUs)) return kUsed;
    if (nic_->transport().needs_reset()) return kReset;
  }
  return kSilence;
}

bool Victim::recovers() {
  if (!nic_->start({})) {
    print("cannot start again, status ", hex(nic_->transport().status()), '\n');
    return false;
  }
  // Frames of the case before may still be on their way.
  reflect::compose(*nic_, reflect::scratch(), kGoodSize, ++seed_);
  if (!nic_->send(reflect::scratch(), kGoodSize)) return false;
  net::Packet packet{};
  const Deadline deadline(kPatienceUs);
  while (!deadline.has_passed() && reflect::await(*nic_, packet)) {
    if (packet.size != kGoodSize || reflect::seed_of(packet) != seed_) continue;
    return reflect::is_returned(packet, kGoodSize, seed_) && nic_->drain();
  }
  print("the good frame does not return\n");
  return false;
}

void Victim::judge(std::string_view group, std::string_view name, u32 seen, u32 allowed) {
  witness_.judge(group, name, describe(seen), (seen & allowed) != 0, recovers());
}

}  // namespace kit::net_victim
