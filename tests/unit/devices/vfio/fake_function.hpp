// SPDX-License-Identifier: Apache-2.0
// A device that nobody made: configuration space and BARs as the test writes them.
#pragma once

#include <sys/mman.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "core/bus.hpp"
#include "devices/vfio/config_view.hpp"
#include "devices/vfio/device.hpp"

namespace mote::test {

/// Looks like a virtual function of an 82576: BAR 0 of registers, BAR 3 with table and pending
/// bits, 64-bit prefetchable, 16 KiB each; capabilities MSI-X, PCI Express and power management.
class FakeFunction final : public vfio::Device {
 public:
  vfio::Snapshot config{};
  std::array<vfio::Region, pci::kBarCount> bars;
  std::array<std::vector<std::byte>, pci::kBarCount> memory;

  FakeFunction() {
    set(0x00, 4, 0x10ca'8086);
    set(0x06, 2, 0x10);
    set(0x08, 4, 0x0200'0001);
    set(0x2c, 4, 0xa03c'8086);
    set(0x34, 1, 0x70);
    set(0x70, 4, 0x0002'a011);  // MSI-X, 3 vectors
    set(0x74, 4, 0x0000'0003);
    set(0x78, 4, 0x0000'2003);
    set(0xa0, 4, 0x0002'c810);  // PCI Express, version 2
    set(0xa8, 4, 0x0000'1234);  // device control
    set(0xc8, 4, 0xff03'0001);  // power management; too close to the end of the one before
    set_bar(0, 16 * kKiB, 0xc);
    set_bar(3, 16 * kKiB, 0xc);
  }

  void set(u32 offset, u32 size, u32 value) {
    store_le(std::as_writable_bytes(std::span(config)).subspan(offset, size), value);
  }
  void set_bar(u32 bar, u64 size, u32 flags) {
    set(0x10 + 4 * bar, 4, flags);
    bars[bar] = {size, {}};
    if (size >= kPageSize) bars[bar].mappable = {{0, size}};
    memory[bar].assign(size, std::byte{0});
  }

  std::string_view name() const override { return "0000:01:10.0"; }
  vfio::Region region(u32 index) const override {
    return index < pci::kBarCount ? bars[index] : vfio::Region{config.size(), {}};
  }
  bool read(u32 region, u64 offset, std::span<std::byte> data) const override {
    const auto bytes = bytes_of(region);
    if (data.size() > bytes.size() || offset > bytes.size() - data.size()) return false;
    std::memcpy(data.data(), bytes.data() + offset, data.size());
    return true;
  }
  bool write(u32 region, u64 offset, std::span<const std::byte> data) const override {
    const auto bytes = bytes_of(region);
    if (data.size() > bytes.size() || offset > bytes.size() - data.size()) return false;
    std::memcpy(bytes.data() + offset, data.data(), data.size());
    return true;
  }
  Result<Mapping> map(u32, const vfio::Area& area) const override {
    return Mapping::create(area.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
                           "a BAR");
  }
  Result<u32> set_triggers(vfio::InterruptKind kind, std::span<const int> fds) const override {
    if (fds.size() > host_interrupts) return host_interrupts;
    triggers_kind = kind;
    triggers.assign(fds.begin(), fds.end());
    return static_cast<u32>(fds.size());
  }

  u32 host_interrupts = 2048;  ///< that the host has left
  mutable std::vector<int> triggers;
  mutable vfio::InterruptKind triggers_kind{};

 private:
  /// What the device keeps can be written by who only reads its registers.
  std::span<std::byte> bytes_of(u32 region) const {
    auto& self = const_cast<FakeFunction&>(*this);
    return region < pci::kBarCount ? std::span(self.memory[region])
                                   : std::as_writable_bytes(std::span(self.config));
  }
};

}  // namespace mote::test
