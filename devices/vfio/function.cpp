// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/function.hpp"

#include <algorithm>
#include <string>

#include "core/bus.hpp"

namespace mote::vfio {
namespace {

constexpr u32 kCommand = 0x04;
constexpr u16 kMemoryDecoding = 1u << 1;
constexpr u16 kBusMaster = 1u << 2;
constexpr u32 kHeaderType = 0x0e;
constexpr u8 kHeaderTypeMask = 0x7f;

Error cannot_pass(std::string_view name, std::string_view reason) {
  return Error::host("cannot pass " + std::string(name) + ": " + std::string(reason));
}

/// Calls `piece` for what [offset, offset + size) and `passage` have in common: an offset within
/// the first, the device's offset, a size.
template <class Piece>
void for_common(const Passage& passage, u32 offset, std::size_t size, Piece piece) {
  const u32 begin = std::max(offset, passage.guest_offset);
  const u32 end = std::min(offset + static_cast<u32>(size), passage.guest_offset + passage.size);
  if (begin >= end) return;
  piece(begin - offset, passage.device_offset + (begin - passage.guest_offset), end - begin);
}

}  // namespace

Result<std::unique_ptr<Function>> Function::create(std::unique_ptr<Device> device) {
  const std::string name(device->name());
  Snapshot snapshot{};
  if (!device->read(kConfigRegion, 0, std::as_writable_bytes(std::span(snapshot)))) {
    return cannot_pass(name, "its configuration space does not answer");
  }
  if ((snapshot[kHeaderType] & kHeaderTypeMask) != 0) return cannot_pass(name, "it is a bridge");
  const auto place = find_msix(snapshot);
  const auto msi = find_msi(snapshot);
  if (!place && !msi) {
    return cannot_pass(name, "it has no MSI-X and no MSI, and guests get no other interrupts");
  }

  std::array<u64, pci::kBarCount> sizes{};
  for (u32 bar = 0; bar < pci::kBarCount; ++bar) sizes[bar] = device->region(bar).size;
  const pci::Bars bars = read_bars(snapshot, sizes);
  for (u32 bar = 0; bar < pci::kBarCount; ++bar) {
    if (bars[bar].size == 0) sizes[bar] = 0;
  }
  if (place) TRY(check_place(*place, sizes, name));

  std::unique_ptr<Function> function(place ? new Function(std::move(device), snapshot, bars, *place)
                                           : new Function(std::move(device), snapshot, bars, *msi));
  function->sizes_ = sizes;
  for (u32 bar = 0; bar < pci::kBarCount; ++bar) {
    if (sizes[bar] == 0) continue;
    for (const Area& area : direct_areas(bar, function->device_->region(bar), place)) {
      function->direct_.push_back({bar, area, TRY(function->device_->map(bar, area))});
    }
  }
  function->passages_ = add_capabilities(snapshot, function->config_);
  if (!function->write_command(kMemoryDecoding)) {
    return cannot_pass(name, "its memory cannot be switched on");
  }
  return function;
}

Result<void> Function::connect(TriggerLines& lines) {
  const std::lock_guard guard(lock_);
  return interrupts_.connect(*device_, lines, config_);
}

void Function::disconnect() {
  const std::lock_guard guard(lock_);
  interrupts_.disconnect();
}

bool Function::write_command(u16 command) const {
  return device_->write(kConfigRegion, kCommand, std::as_bytes(std::span(&command, 1)));
}

void Function::place_bar(u32 bar, Gpa home) {
  const std::lock_guard guard(lock_);
  homes_.at(bar) = home;
  config_.place_bar(bar, home);
}

bool Function::answers(u32 bar) const {
  const std::lock_guard guard(lock_);
  return config_.answers(bar);
}

void Function::read_config(u32 offset, std::span<std::byte> data) {
  const std::lock_guard guard(lock_);
  config_.read(offset, data);
  interrupts_.complete_config(config_, offset, data);
  for (const Passage& passage : passages_) {
    for_common(passage, offset, data.size(), [&](u32 at, u32 device_offset, u32 size) {
      device_->read(kConfigRegion, device_offset, data.subspan(at, size));
    });
  }
}

void Function::write_config(u32 offset, std::span<const std::byte> data) {
  const std::lock_guard guard(lock_);
  const u32 before = config_.value(kCommand, 2) & kBusMaster;
  config_.write(offset, data);
  const u32 after = config_.value(kCommand, 2) & kBusMaster;
  if (before != after) write_command(static_cast<u16>(kMemoryDecoding | after));
  for (const Passage& passage : passages_) {
    for_common(passage, offset, data.size(), [&](u32 at, u32 device_offset, u32 size) {
      device_->write(kConfigRegion, device_offset, data.subspan(at, size));
    });
  }
  interrupts_.on_config_written(config_, offset);
}

void Function::read_bar(u32 bar, u64 offset, std::span<std::byte> data) {
  if (interrupts_.has(bar, offset)) {
    const std::lock_guard guard(lock_);
    return interrupts_.read_bar(bar, offset, data);
  }
  fill_ones(data);
  if (offset <= sizes_[bar] && data.size() <= sizes_[bar] - offset) {
    device_->read(bar, offset, data);
  }
}

void Function::write_bar(u32 bar, u64 offset, std::span<const std::byte> data) {
  if (interrupts_.has(bar, offset)) {
    const std::lock_guard guard(lock_);
    return interrupts_.write_bar(bar, offset, data);
  }
  if (offset <= sizes_[bar] && data.size() <= sizes_[bar] - offset) {
    device_->write(bar, offset, data);
  }
}

}  // namespace mote::vfio
