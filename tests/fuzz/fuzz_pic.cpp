// SPDX-License-Identifier: Apache-2.0
// The 8259 pair: command words, lines and acknowledge cycles in any order.
#include "devices/minimal/pic.hpp"
#include "tests/fuzz/accesses.hpp"

using namespace mote;

struct Output final : PicOutput {
  u32 calls = 0;
  void interrupt_requested() override { ++calls; }
};

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  constexpr u64 kPorts[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1};
  std::span<const u8> data(bytes, size);
  Output output, probe_output;
  PicPair pic(output), probe(probe_output);
  Bus bus;
  pic.attach(bus);
  for (Access access{}; take_access(data, access);) {
    const bool was_high = pic.has_interrupt();
    const u32 calls = output.calls;
    if (access.operation % 8 == 0) {
      pic.acknowledge();
    } else if (access.operation % 8 < 3) {
      pic.set_level(access.offset % 18, (access.value & 1) != 0);
    } else {
      perform(bus, kPorts[access.offset % 6], access, access.operation % 2 != 0);
    }
    const bool rose = !was_high && pic.has_interrupt();
    CHECK(!rose || output.calls > calls, "a rise is announced");

    PicPair::State state = pic.save();
    probe.restore(state);
    CHECK(probe.save() == state, "a state comes back as it was saved");
    CHECK(probe.has_interrupt() == pic.has_interrupt(), "the output follows from the state");
    CHECK(probe.acknowledge().has_value() == pic.has_interrupt(), "what is asked for is there");
    state.first.lowest = state.second.lowest = access.offset;
    state.first.next_icw = access.offset;
    probe.restore(state);
    probe.acknowledge();
  }
  return 0;
}
