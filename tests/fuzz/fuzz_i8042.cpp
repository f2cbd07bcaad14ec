// SPDX-License-Identifier: Apache-2.0
// The keyboard controller and its keyboard: any dialogue; they must never let a driver wait, nor
// have ever more to say.
#include "devices/minimal/i8042.hpp"
#include "tests/fuzz/accesses.hpp"

using namespace mote;

struct Power final : PowerSink {
  void power_off() override { CHECK(false, "this controller only resets"); }
  void reset() override {}
};

struct Line final : IrqLine {
  void set_level(bool) override {}
};

/// How many bytes can be read until there are none: the answer and a full buffer at the most.
void drain(I8042& controller) {
  for (std::size_t left = 1 + Keyboard::kBufferSize; left > 0; --left) {
    controller.read_port(I8042::kDataPort);
  }
  CHECK((controller.read_port(I8042::kCommandPort) & 1) == 0, "what is to be read comes to an end");
}

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  std::span<const u8> data(bytes, size);
  Power power;
  Line line;
  I8042 controller(line, power), other(line, power);
  Bus bus;
  controller.attach(bus);
  for (Access access{}; take_access(data, access);) {
    perform(bus, 0x60 + access.offset % 8, access, access.operation % 2 == 0);
    CHECK((controller.read_port(I8042::kCommandPort) & 2) == 0, "the input buffer is never full");
    if (access.operation % 8 == 2) controller.send_ctrl_alt_del();
    I8042::State state = controller.save();
    other.restore(state);
    CHECK(other.save() == state, "a state comes back as it was saved");
    state.status = state.pending = static_cast<u8>(access.value);
    state.keyboard.count = state.keyboard.pending = static_cast<u8>(access.value >> 8);
    other.restore(state);
    other.write_port(I8042::kDataPort, access.offset);
    CHECK((other.read_port(I8042::kCommandPort) & 2) == 0, "nor after a wrong state");
    drain(other);
  }
  return 0;
}
