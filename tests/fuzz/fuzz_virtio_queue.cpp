// SPDX-License-Identifier: Apache-2.0
// A queue: the driver writes anywhere in its rings while the device takes, gives back and
// publishes.
#include "core/check.hpp"
#include "devices/virtio/features.hpp"
#include "devices/virtio/queue.hpp"
#include "tests/fuzz/accesses.hpp"

using namespace mote;
using virtio::Queue;

namespace {

constexpr u64 kRam = 8 * kKiB;

const GuestMemory& ram() {
  static const GuestMemory memory = [] {
    const GpaRange ranges[] = {{Gpa(0), kRam}};
    auto result = GuestMemory::create(ranges);
    CHECK(result.has_value(), "a little memory can be mapped");
    return *std::move(result);
  }();
  return memory;
}

/// Serves up to `limit` chains as a device does.
void serve(Queue& queue, u32 limit) {
  virtio::Chain chain(virtio::kMaxQueueSize);
  queue.suppress_kicks();
  for (u32 i = 0; i < limit; ++i) {
    const virtio::QueuePosition before = queue.position();
    const Queue::Pop pop = queue.pop(ram(), chain);
    if (pop != Queue::Pop::kChain) {
      CHECK(queue.position() == before, "nothing was taken");
      if (pop == Queue::Pop::kBroken) {
        CHECK(!queue.has_available() && !queue.request_kicks(), "a broken queue rests");
        CHECK(queue.pop(ram(), chain) == Queue::Pop::kBroken, "for ever");
      }
      break;
    }
    CHECK(chain.head() < queue.size(), "a head of the table");
    queue.push(chain.head(), i);
    CHECK(static_cast<u16>(queue.position().next_available - queue.position().next_used) == 0,
          "as many came as went");
  }
  if (!queue.publish()) static_cast<void>(queue.request_kicks());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  std::span<const u8> data(bytes, size);
  if (data.size() < 8) return 0;
  const auto all = ram().slice(Gpa(0), kRam);
  CHECK(all && all->clear(0, kRam), "RAM starts empty");
  // Size, two features, and where the rings lie, aligned and not.
  const u64 features = (data[1] & 1 ? virtio::feature::kEventIdx : 0) |
                       (data[1] & 2 ? virtio::feature::kIndirectDesc : 0);
  const virtio::QueueLayout layout{static_cast<u16>(data[0] % 16), Gpa(u64{data[2]} * 8),
                                   Gpa(u64{data[3]} * 33), Gpa(u64{data[4]} * 34)};
  auto queue = Queue::map(ram(), layout, features, {data[5], data[5]});
  if (!queue) return 0;
  data = data.subspan(8);
  for (Access access{}; take_access(data, access);) {
    const u64 address = (u64{access.operation} << 8 | access.offset) % kRam;
    std::byte value[8] = {};
    store_le(value, access.value);
    static_cast<void>(ram().write(Gpa(address), std::span(value, access.width)));
    if (access.wait_ns > 1000) serve(*queue, 64);
  }
  serve(*queue, 64);
  return 0;
}
