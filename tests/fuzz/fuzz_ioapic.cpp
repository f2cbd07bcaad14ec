// SPDX-License-Identifier: Apache-2.0
// The I/O APIC: reprogramming, lines and ends of interrupts in any order.
#include "devices/minimal/ioapic.hpp"
#include "tests/fuzz/accesses.hpp"

using namespace mote;

struct Sink final : MsiSink {
  std::array<std::optional<MsiMessage>, kPinCount> routes;
  void deliver(const MsiMessage& message) override {
    const u32 mode = message.data >> 8 & 7;
    CHECK(mode == 4 || mode == 5 || (mode < 2 && (message.data & 0xff) >= 16), "legal messages");
    if ((message.data & 1u << 15) == 0) return;
    bool has_route = false;
    for (const auto& route : routes) has_route = has_route || route == message;
    CHECK(has_route, "a level-triggered message has its route first");
  }
  void set_route(Pin pin, const std::optional<MsiMessage>& message) override {
    CHECK(routes[index(pin)] != message, "no call without a change");
    routes[index(pin)] = message;
  }
};

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  std::span<const u8> data(bytes, size);
  Sink sink, restored_sink;
  IoApic ioapic(sink), restored(restored_sink);
  Bus bus;
  bus.add(0, IoApic::kSize, ioapic);
  for (Access access{}; take_access(data, access);) {
    const Pin pin{static_cast<u8>(access.offset % kPinCount)};
    switch (access.operation % 8) {
      case 0:
        ioapic.set_level(pin, (access.value & 1) != 0);
        break;
      case 1:
        ioapic.end_of_interrupt(static_cast<u8>(access.value));
        break;
      case 2:
        ioapic.use_irqfd(pin);
        restored.use_irqfd(pin);
        break;
      default:
        perform(bus, access.offset % 2 * 0x10, access, access.operation % 8 != 3);
    }
    const IoApic::State state = ioapic.save();
    for (const u64 entry : state.entries) {
      CHECK((entry & 1u << 14) == 0 || (entry & 1u << 15) != 0, "Remote-IRR is for level only");
    }
    restored.restore(state);
    CHECK(restored.save() == state, "a state comes back as it was saved");
    CHECK(restored_sink.routes == sink.routes, "routes follow from the state");
  }
  return 0;
}
