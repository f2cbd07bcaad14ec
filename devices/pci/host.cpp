// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/host.hpp"

#include <algorithm>
#include <string>

#include "core/text.hpp"

namespace mote::pci {
namespace {

/// As the bridge of QEMU's machine is called; no driver asks for it.
constexpr Identity kBridge = {.vendor = 0x1b36,
                              .device = 0x0008,
                              .subsystem_vendor = 0,
                              .subsystem = 0,
                              .revision = 0,
                              .class_code = 0x06'00'00};

// What an address within bus 0 is made of, as ECAM has it.
constexpr u32 kDeviceShift = 15;
constexpr u32 kFunctionShift = 12;
constexpr u64 kFunctionMask = 7;

// CONFIG_ADDRESS [PCI-3.0 3.2.2.3.2].
constexpr u64 kAddressPort = 0;
constexpr u64 kDataPort = 4;
constexpr u32 kEnable = 1u << 31;
constexpr u32 kBusMask = 0x00ff'0000;
constexpr u32 kExisting = 0x80ff'fffc;

/// Whether an access touches one word of 4 bytes only: all that a function sees.
bool is_one_word(u64 address, std::size_t width) {
  return width <= 4 && address % 4 + width <= 4;
}

/// Where CONFIG_ADDRESS points, as ECAM has it; behind the end when that is on another bus.
u64 to_ecam(u32 address) {
  if ((address & kBusMask) != 0) return Host::kEcamSize;
  return u64{address >> 8 & 0xff} << kFunctionShift | (address & 0xfc);
}

}  // namespace

Host::Bridge::Bridge() : config_(kBridge, {}) {}

void Host::Bridge::read_config(u32 offset, std::span<std::byte> data) {
  const std::lock_guard guard(lock_);
  config_.read(offset, data);
}

void Host::Bridge::write_config(u32 offset, std::span<const std::byte> data) {
  const std::lock_guard guard(lock_);
  config_.write(offset, data);
}

ConfigSpace::State Host::Bridge::save() const {
  const std::lock_guard guard(lock_);
  return config_.save();
}

void Host::Bridge::restore(const ConfigSpace::State& state) {
  const std::lock_guard guard(lock_);
  config_.restore(state);
}

void Host::Ecam::read(u64 offset, std::span<std::byte> data) {
  host_.read_config(offset, data);
}

void Host::Ecam::write(u64 offset, std::span<const std::byte> data) {
  host_.write_config(offset, data);
}

void Host::Ports::read(u64 offset, std::span<std::byte> data) {
  const u32 address = host_.address();
  if (offset == kAddressPort && data.size() == 4) return store_le(data, address);
  if (offset < kDataPort || (address & kEnable) == 0) return fill_ones(data);
  host_.read_config(to_ecam(address) + offset - kDataPort, data);
}

void Host::Ports::write(u64 offset, std::span<const std::byte> data) {
  if (offset == kAddressPort && data.size() == 4) {
    return host_.set_address(static_cast<u32>(load_le(data)));
  }
  const u32 address = host_.address();
  if (offset < kDataPort || (address & kEnable) == 0) return;
  host_.write_config(to_ecam(address) + offset - kDataPort, data);
}

void Host::Home::read(u64 offset, std::span<std::byte> data) {
  const Gate::Pass pass(gate_);
  if (!pass || !function_.answers(bar_)) return fill_ones(data);
  function_.read_bar(bar_, offset, data);
}

void Host::Home::write(u64 offset, std::span<const std::byte> data) {
  const Gate::Pass pass(gate_);
  if (pass && function_.answers(bar_)) function_.write_bar(bar_, offset, data);
}

Host::Host(const Windows& windows) : below_4g_(windows.below_4g), above_4g_(windows.above_4g) {
  functions_[0] = &bridge_;
}

Result<u32> Host::add(Function& function, Bus& mmio) {
  const auto slot = std::find(functions_.begin(), functions_.end(), nullptr);
  if (slot == functions_.end()) {
    return Error::config(std::string(function.name()) +
                         format(": no place on the PCI bus is left -- it has %u", kDevices - 1));
  }
  const auto device = static_cast<u32>(slot - functions_.begin());
  const Bars bars = function.bars();
  for (u32 bar = 0; bar < kBarCount; ++bar) {
    if (bars[bar].size == 0) continue;
    const Gpa home = TRY(take_room(bars[bar], function.name()));
    function.place_bar(bar, home);
    homes_.push_back(std::make_unique<Home>(function, gates_[device], bar));
    mmio.add(home.raw(), bars[bar].size, *homes_.back());
  }
  *slot = &function;
  return device;
}

Result<Gpa> Host::take_room(const Bar& bar, std::string_view name) {
  const auto take = [&](GpaRange& window) -> std::optional<Gpa> {
    const auto home = align_up(window.start.raw(), bar.size);
    if (!home || *home > window.end() || bar.size > window.end() - *home) return std::nullopt;
    window.size = window.end() - *home - bar.size;
    window.start = Gpa(*home + bar.size);
    return Gpa(*home);
  };
  std::optional<Gpa> home;
  if (!(bar.is_64bit && bar.is_prefetchable)) home = take(below_4g_);
  if (!home && bar.is_64bit) home = take(above_4g_);
  if (home) return *home;
  return Error::config(std::string(name) + format(": no room for its %lu KiB in the windows of the "
                                                  "PCI bus",
                                                  bar.size / kKiB));
}

/// The device that `address` lies in, if there is or was a function.
std::optional<u32> Host::find(u64 address) const {
  const u64 device = address >> kDeviceShift;
  const bool is_first = (address >> kFunctionShift & kFunctionMask) == 0;
  if (!is_first || device >= kDevices || functions_[device] == nullptr) return std::nullopt;
  return static_cast<u32>(device);
}

void Host::read_config(u64 address, std::span<std::byte> data) {
  const auto device = find(address);
  if (!device || !is_one_word(address, data.size())) return fill_ones(data);
  const Gate::Pass pass(gates_[*device]);
  if (!pass) return fill_ones(data);
  functions_[*device]->read_config(static_cast<u32>(address % kConfigSize), data);
}

void Host::write_config(u64 address, std::span<const std::byte> data) {
  const auto device = find(address);
  if (!device || !is_one_word(address, data.size())) return;
  const Gate::Pass pass(gates_[*device]);
  if (pass) functions_[*device]->write_config(static_cast<u32>(address % kConfigSize), data);
}

u32 Host::address() const {
  const std::lock_guard guard(lock_);
  return address_;
}

void Host::set_address(u32 address) {
  const std::lock_guard guard(lock_);
  address_ = address & kExisting;
}

Host::State Host::save() const {
  return {address(), bridge_.save()};
}

void Host::restore(const State& state) {
  set_address(state.address);
  bridge_.restore(state.bridge);
}

}  // namespace mote::pci
