// SPDX-License-Identifier: Apache-2.0
// The registers of virtio-mmio, in any order, before a device that checks what its transport
// promises (CHECKs in fake_device.hpp); the same from a saved state.
#include "devices/virtio/mmio.hpp"

#include "tests/fuzz/accesses.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"
#include "tests/unit/devices/virtio/fake_device.hpp"

using namespace mote;
using virtio::MmioTransport;

namespace {

const GuestMemory& ram() {
  static const GuestMemory memory = [] {
    const GpaRange ranges[] = {{Gpa(0), 64 * kKiB}};
    auto result = GuestMemory::create(ranges);
    CHECK(result.has_value(), "a little memory can be mapped");
    return *std::move(result);
  }();
  return memory;
}

struct Machine {
  test::FakeDevice device{2};
  FakeLine line;
  MmioTransport mmio{ram(), device, line};

  void check() {
    const auto status = static_cast<u32>(read_le(mmio, 0x070, 4));
    const auto interrupt = static_cast<u32>(read_le(mmio, 0x060, 4));
    const bool live = (status & 4) != 0;
    CHECK(!live || (status & 8) != 0, "DRIVER_OK follows FEATURES_OK");
    CHECK(live || interrupt == 0, "no interrupt before DRIVER_OK");
    CHECK(live || (!device.queue(0) && !device.queue(1)), "no queue runs before DRIVER_OK");
    CHECK(interrupt <= 3 && line.high == (interrupt != 0), "the line shows the status");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  std::span<const u8> data(bytes, size);
  Machine machine;
  Bus bus;
  bus.add(0, MmioTransport::kSize, machine.mmio);
  for (Access access{}; take_access(data, access);) {
    switch (access.operation % 16) {
      case 0:
        machine.device.events->on_used(0);
        break;
      case 1:
        machine.device.events->on_config_changed();
        break;
      case 2:
        machine.device.events->on_broken();
        break;
      case 3: {
        machine.mmio.pause();
        const MmioTransport::State state = machine.mmio.save();
        Machine other;
        other.mmio.restore(state);
        CHECK(other.mmio.save() == state, "a state comes back as it was saved");
        other.mmio.resume();
        machine.mmio.resume();
        break;
      }
      case 4: {
        MmioTransport::State state{.status = access.value,
                                   .driver_features = u64{access.offset} << 28,
                                   .selected_queue = access.value,
                                   .interrupt_status = access.value,
                                   .config_changed_early = (access.value & 2) != 0,
                                   .queues = {}};
        state.queues.resize(access.value % 4);
        for (auto& queue : state.queues) {
          queue = {{access.offset, Gpa(access.value), Gpa(access.value), Gpa(access.value)},
                   true,
                   {static_cast<u16>(access.value), access.offset}};
        }
        Machine other;
        other.mmio.restore(state);
        other.mmio.resume();
        write_le(other.mmio, 0x070, 4, 0);
        CHECK(read_le(other.mmio, 0x070, 4) == 0, "a reset always helps");
        break;
      }
      case 5:
        perform(bus, 0x100 + access.offset, access, (access.value & 1) != 0);
        break;
      case 6:
        perform(bus, access.offset, access, false);
        break;
      case 7:
        perform(bus, access.offset, access, true);
        break;
      default:  // what a driver does: aligned writes of 32 bits
        access.width = 4;
        perform(bus, access.offset & 0xfc, access, true);
    }
    machine.check();
  }
  write_le(machine.mmio, 0x070, 4, 0);
  machine.check();
  CHECK(read_le(machine.mmio, 0x070, 4) == 0, "a reset always helps");
  return 0;
}
