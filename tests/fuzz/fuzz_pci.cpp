// SPDX-License-Identifier: Apache-2.0
// The PCI bus with a function whose MSI-X lies in its BAR: configuration space by memory and by
// ports, the table, interrupts. The sink CHECKs that it is told of changes only.
#include "devices/pci/host.hpp"
#include "devices/pci/msix.hpp"
#include "tests/fuzz/accesses.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"
#include "tests/unit/devices/pci/fakes.hpp"

using namespace mote;

namespace {

constexpr u32 kVectors = 5;
constexpr u64 kHome = 0xc000'0000;
constexpr u64 kPending = 0x800;

struct MessageFunction final : pci::Function {
  MessageFunction() { capability = msix.add_capability(config, 1, 0, kPending); }

  std::string_view name() const override { return "messages"; }
  pci::Bars bars() const override { return kBars; }
  void place_bar(u32 bar, Gpa home) override { config.place_bar(bar, home); }
  bool answers(u32 bar) const override { return config.answers(bar); }
  void read_config(u32 offset, std::span<std::byte> data) override { config.read(offset, data); }
  void write_config(u32 offset, std::span<const std::byte> data) override {
    config.write(offset, data);
    msix.set_control(control());
  }
  void read_bar(u32, u64 offset, std::span<std::byte> data) override {
    return offset < kPending ? msix.read_table(offset, data)
                             : msix.read_pending(offset - kPending, data);
  }
  void write_bar(u32, u64 offset, std::span<const std::byte> data) override {
    msix.write_table(offset, data);
  }
  u16 control() const { return static_cast<u16>(config.value(capability + 2, 2)); }

  static constexpr pci::Bars kBars = {pci::Bar{}, pci::Bar{.size = 0x1000}};
  test::FakeSink sink;
  pci::ConfigSpace config{{.vendor = 0x1234, .device = 0x5678}, kBars};
  pci::MsiX msix{kVectors, sink};
  u32 capability = 0;

  void check() {
    CHECK(config.value(0, 4) == 0x56781234, "who the function is stays");
    const pci::MsiX::State state = msix.save();
    for (u32 vector = 0; vector < kVectors; ++vector) {
      const bool masked = msix.is_masked(vector);
      CHECK(!state.pending[vector] || masked, "what is not masked is not pending");
      const auto& message = sink.messages[vector];
      CHECK(masked || !message || *message == state.table[vector].message,
            "what is sent is what the table says");
    }
    test::FakeSink other_sink;
    pci::MsiX other(kVectors, other_sink);
    other.set_control(control());
    other.restore(state);
    CHECK(other.save() == state && other_sink.sent.empty(), "a state comes back as it was saved");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  std::span<const u8> data(bytes, size);
  Bus mmio, spaces;
  MessageFunction function;
  pci::Host host({{Gpa(kHome), 0x10'0000}, {}});
  CHECK(host.add(function, mmio).has_value(), "there is room");
  spaces.add(0, pci::Host::kEcamSize, host.ecam());
  spaces.add(u64{1} << 32, pci::Host::kPortCount, host.ports());
  for (Access access{}; take_access(data, access);) {
    const bool is_write = (access.operation & 1) != 0;
    switch (access.operation / 2 % 8) {
      case 0:
        perform(spaces, (u64{1} << 32) + access.offset % 8, access, is_write);
        break;
      case 1:
        perform(spaces, access.value % pci::Host::kEcamSize, access, is_write);
        break;
      case 2:
        perform(mmio, kHome + access.value % 0x1000, access, is_write);
        break;
      case 3: {
        const u32 vector = access.offset % (kVectors + 1);
        const std::size_t before = function.sink.sent.size();
        const bool is_held = vector == kVectors || function.msix.is_masked(vector);
        function.msix.raise(vector);
        CHECK(function.sink.sent.size() == before + (is_held ? 0 : 1), "a mask holds back");
        break;
      }
      case 4:  // what a driver does with the table
        access.width = 4;
        perform(mmio, kHome + access.offset % (kVectors * 4) * 4, access, true);
        break;
      case 5:
        write_le(host.ecam(), (1 << 15) + 4, 2, 2);
        write_le(host.ecam(), (1 << 15) + 0x14, 4, kHome);
        break;
      default:
        perform(spaces, (1 << 15) + access.offset, access, is_write);
    }
    function.check();
  }
  return 0;
}
