// SPDX-License-Identifier: Apache-2.0
// The serial port: register accesses mixed with input, a reader that stalls, and restores.
#include "devices/minimal/serial.hpp"
#include "tests/fuzz/accesses.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"

using namespace mote;

struct Output final : SerialOutput {
  std::size_t left = 64;
  std::size_t room() override { return left; }
  void put(std::span<const std::byte> bytes) override {
    CHECK(bytes.size() <= left, "never more than there was room for");
    left -= bytes.size();
  }
};

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  std::span<const u8> data(bytes, size);
  FakeLine line, probe_line;
  Output output;
  Serial serial(line, output), probe(probe_line, output);
  Bus bus;
  bus.add(0, Serial::kPortCount, serial);
  for (Access access{}; take_access(data, access);) {
    if (access.operation % 8 == 0) {
      output.left = access.value % 64;
      serial.output_drained();
    } else if (access.operation % 8 == 1) {
      const std::byte input[Serial::kReceiveFifo] = {};
      const std::size_t room = serial.input_room();
      CHECK(room <= std::size(input), "the room is that of the FIFO");
      const u64 dropped = serial.counters().receive_dropped;
      serial.receive(std::span(input, room));
      CHECK(serial.counters().receive_dropped == dropped, "what has room is not lost");
    } else {
      perform(bus, access.offset % 8, access, access.operation % 2 == 0);
    }
    const Serial::State state = serial.save();
    probe.restore(state);
    CHECK(probe.save() == state, "a state comes back as it was saved");
    CHECK(line.high == ((read8(probe, 2) & 1) == 0), "the line says what the cause says");
    Serial::State hostile = state;
    hostile.received_count = access.offset;
    probe.restore(hostile);
    CHECK(probe.save().received_count <= Serial::kReceiveFifo, "a count is clamped");
  }
  return 0;
}
