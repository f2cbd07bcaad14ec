// SPDX-License-Identifier: Apache-2.0
// virtio over PCI, its BAR and its configuration space, in any order, before a device that checks
// what its transport promises (CHECKs in fake_device.hpp); the same from a saved state.
#include "devices/virtio/pci.hpp"

#include "tests/fuzz/accesses.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"
#include "tests/unit/devices/pci/fakes.hpp"
#include "tests/unit/devices/virtio/fake_device.hpp"

using namespace mote;
using virtio::PciTransport;

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

/// The registers of the common configuration and how wide they are.
constexpr struct {
  u8 offset;
  u8 width;
} kRegisters[] = {{0, 4},  {4, 4},  {8, 4},  {12, 4}, {16, 2}, {18, 2}, {20, 1},
                  {21, 1}, {22, 2}, {24, 2}, {26, 2}, {28, 2}, {30, 2}, {32, 4},
                  {36, 4}, {40, 4}, {44, 4}, {48, 4}, {52, 4}, {56, 2}, {58, 2}};

/// The BAR as the bus hands it on.
struct BarDevice final : IoDevice {
  explicit BarDevice(PciTransport& transport) : pci(transport) {}
  std::string_view name() const override { return "bar"; }
  void read(u64 offset, std::span<std::byte> data) override { pci.read_bar(0, offset, data); }
  void write(u64 offset, std::span<const std::byte> data) override {
    pci.write_bar(0, offset, data);
  }
  PciTransport& pci;
};

struct Machine {
  Machine() {
    pci.place_bar(0, Gpa(0xc000'0000));
    bus.add(0, PciTransport::kBarSize, bar);
  }

  test::FakeDevice device{2};
  test::FakeSink sink;
  PciTransport pci{ram(), device, sink};
  BarDevice bar{pci};
  Bus bus;

  void check() {
    const auto status = static_cast<u32>(read_le(bar, 20, 1));
    const bool live = (status & 4) != 0;
    CHECK(!live || (status & 8) != 0, "DRIVER_OK follows FEATURES_OK");
    CHECK(live || pci.save().driver.interrupt_status == 0, "no interrupt before DRIVER_OK");
    CHECK(live || (!device.queue(0) && !device.queue(1)), "no queue runs before DRIVER_OK");
    CHECK(test::read_config(pci, 0, 4) == 0x106a1af4, "who the function is stays");
  }
  void check_reset() {
    write_le(bar, 20, 1, 0);
    CHECK(read_le(bar, 20, 1) == 0, "a reset always helps");
    const std::size_t before = sink.sent.size();
    device.events->on_used(0);
    CHECK(sink.sent.size() == before, "no interrupt behind a reset");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  std::span<const u8> data(bytes, size);
  Machine machine;
  for (Access access{}; take_access(data, access);) {
    const bool is_write = (access.operation & 128) != 0;
    switch (access.operation % 16) {
      case 0:
        machine.device.events->on_used(access.offset % 2);
        break;
      case 1:
        machine.device.events->on_config_changed();
        break;
      case 2:
        machine.device.events->on_broken();
        break;
      case 3:
      case 4: {
        machine.pci.pause();
        PciTransport::State state = machine.pci.save();
        Machine other;
        if (access.operation % 16 == 4) {  // not as it was saved
          state.driver.status = access.value;
          state.driver.selected_queue = access.value;
          state.config.bytes[access.offset] = static_cast<u8>(access.value);
          state.config_vector = state.queue_vectors[0] = static_cast<u16>(access.value);
          state.msix.pending[access.offset % 3] = true;
          state.msix.table.resize(access.offset % 5);
        }
        other.pci.restore(state);
        CHECK(access.operation % 16 == 4 || other.pci.save() == state,
              "a state comes back as it was saved");
        other.pci.resume();
        other.check();
        other.check_reset();
        machine.pci.resume();
        break;
      }
      case 5:
        perform(machine.bus, access.value % PciTransport::kBarSize, access, is_write);
        break;
      case 6:  // MSI-X
        access.width = 4;
        perform(machine.bus, 0x4000 + access.offset % 12 * 4, access, is_write);
        break;
      case 7:
      case 8:
      case 9:
        access.width = static_cast<u8>(1u << access.width % 3);
        if (access.offset % 4 + access.width > 4) break;
        if (is_write) {
          test::write_config(machine.pci, access.offset, access.width, access.value);
        } else {
          test::read_config(machine.pci, access.offset, access.width);
        }
        break;
      default: {  // what a driver does
        const auto& reg = kRegisters[access.offset % std::size(kRegisters)];
        access.width = reg.width;
        perform(machine.bus, reg.offset, access, true);
      }
    }
    machine.check();
  }
  machine.check_reset();
  return 0;
}
