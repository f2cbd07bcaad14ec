// SPDX-License-Identifier: Apache-2.0
// The keyboard controller: any dialogue; it must never let a driver wait.
#include "devices/minimal/i8042.hpp"
#include "tests/fuzz/accesses.hpp"

using namespace mote;

struct Power final : PowerSink {
  void power_off() override { CHECK(false, "this controller only resets"); }
  void reset() override {}
};

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  std::span<const u8> data(bytes, size);
  Power power;
  I8042 controller(power), other(power);
  Bus bus;
  controller.attach(bus);
  for (Access access{}; take_access(data, access);) {
    perform(bus, 0x60 + access.offset % 8, access, access.operation % 2 == 0);
    CHECK((controller.read_port(I8042::kCommandPort) & 2) == 0, "the input buffer is never full");
    I8042::State state = controller.save();
    other.restore(state);
    CHECK(other.save() == state, "a state comes back as it was saved");
    state.status = state.pending = static_cast<u8>(access.value);
    other.restore(state);
    other.write_port(I8042::kDataPort, access.offset);
    CHECK((other.read_port(I8042::kCommandPort) & 2) == 0, "nor after a wrong state");
  }
  return 0;
}
