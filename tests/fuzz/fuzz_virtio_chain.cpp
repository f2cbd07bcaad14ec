// SPDX-License-Identifier: Apache-2.0
// Descriptor chains: the input is the table of a queue, then whatever lies behind it in RAM.
#include <algorithm>

#include "core/check.hpp"
#include "devices/virtio/chain.hpp"

using namespace mote;

namespace {

constexpr u16 kSize = 16;
constexpr u64 kRam = 16 * kKiB;

const GuestMemory& ram() {
  static const GuestMemory memory = [] {
    const GpaRange ranges[] = {{Gpa(0), kRam}};
    auto result = GuestMemory::create(ranges);
    CHECK(result.has_value(), "a little memory can be mapped");
    return *std::move(result);
  }();
  return memory;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  const auto all = ram().slice(Gpa(0), kRam);
  CHECK(all && all->clear(0, kRam), "RAM starts empty");
  const auto input = std::as_bytes(std::span(bytes, std::min<std::size_t>(size, kRam)));
  CHECK(all->write(0, input), "it fits");

  virtio::Chain chain(kSize);
  const auto table = ram().slice(Gpa(0), 16 * kSize);
  for (u16 head = 0; head < kSize + 2; ++head) {
    for (const bool indirect_allowed : {true, false}) {
      if (!chain.read(ram(), *table, kSize, head, indirect_allowed)) continue;
      const auto readable = chain.readable();
      const auto writable = chain.writable();
      CHECK(head < kSize && !(readable.empty() && writable.empty()), "a chain of something");
      CHECK(readable.size() + writable.size() <= kSize, "no longer than the queue");
      u64 total = 0;
      for (const GuestSlice& segment : readable) {
        CHECK(segment.size() > 0 && segment.size() <= kRam, "a segment lies in RAM");
        total += segment.size();
      }
      CHECK(total == chain.readable_size(), "sizes add up");
      std::byte header[16];
      CHECK(virtio::gather(readable, header) == (total >= sizeof(header)), "gathered if there");
    }
  }
  return 0;
}
