// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/function.hpp"

#include <algorithm>
#include <string>

#include "core/bus.hpp"
#include "core/check.hpp"

namespace mote::vfio {
namespace {

constexpr u32 kCommand = 0x04;
constexpr u16 kMemoryDecoding = 1u << 1;
constexpr u16 kBusMaster = 1u << 2;
constexpr u32 kHeaderType = 0x0e;
constexpr u8 kHeaderTypeMask = 0x7f;
constexpr u32 kControl = 2;  // of the MSI-X capability
constexpr u16 kEnabled = 1u << 15;

bool contains(const Area& area, u64 offset) {
  return offset >= area.offset && offset - area.offset < area.size;
}

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
  if (!place) return cannot_pass(name, "it has no MSI-X, and guests get no other interrupts");

  std::array<u64, pci::kBarCount> sizes{};
  for (u32 bar = 0; bar < pci::kBarCount; ++bar) sizes[bar] = device->region(bar).size;
  const pci::Bars bars = read_bars(snapshot, sizes);
  for (u32 bar = 0; bar < pci::kBarCount; ++bar) {
    if (bars[bar].size == 0) sizes[bar] = 0;
  }
  TRY(check_place(*place, sizes, name));

  std::unique_ptr<Function> function(new Function(std::move(device), snapshot, bars));
  function->sizes_ = sizes;
  function->place_ = *place;
  function->place_.vectors = std::min(place->vectors, kMostVectors);
  for (u32 bar = 0; bar < pci::kBarCount; ++bar) {
    if (sizes[bar] == 0) continue;
    for (const Area& area : direct_areas(bar, function->device_->region(bar), *place)) {
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
  CHECK(lines_ == nullptr, "a function is connected once");
  std::vector<int> fds;
  fds.reserve(vectors());
  for (u32 vector = 0; vector < vectors(); ++vector) fds.push_back(lines.fd(vector));
  TRY(device_->set_triggers(fds));
  lines_ = &lines;
  delivering_.resize(vectors());
  msix_.emplace(vectors(), lines);
  msix_offset_ = add_msix(place_, config_);
  return {};
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
  if (msix_ && offset / 4 == msix_offset_ / 4) control_written();
}

void Function::control_written() {
  const auto control = static_cast<u16>(config_.value(msix_offset_ + kControl, 2));
  const bool was_on = is_on_;
  is_on_ = (control & kEnabled) != 0;
  if (is_on_ && !was_on) {
    // What came while there were no interrupts is none.
    for (u32 vector = 0; vector < vectors(); ++vector) lines_->take_kept(vector);
  }
  msix_->set_control(control);
  for (u32 vector = 0; vector < vectors(); ++vector) update_delivery(vector);
}

void Function::update_delivery(u32 vector) {
  const bool delivers = is_on_ && !msix_->is_masked(vector);
  if (delivers == delivering_[vector]) return;
  delivering_[vector] = delivers;
  lines_->set_delivering(vector, delivers);
}

void Function::collect_kept() {
  if (!is_on_) return;
  for (u32 vector = 0; vector < vectors(); ++vector) {
    if (!delivering_[vector] && lines_->take_kept(vector)) msix_->raise(vector);
  }
}

void Function::read_bar(u32 bar, u64 offset, std::span<std::byte> data) {
  if (bar == place_.table_bar && contains(place_.table(), offset)) {
    const std::lock_guard guard(lock_);
    return msix_->read_table(offset - place_.table_offset, data);
  }
  if (bar == place_.pending_bar && contains(place_.pending(), offset)) {
    const std::lock_guard guard(lock_);
    collect_kept();
    return msix_->read_pending(offset - place_.pending_offset, data);
  }
  fill_ones(data);
  if (offset <= sizes_[bar] && data.size() <= sizes_[bar] - offset) {
    device_->read(bar, offset, data);
  }
}

void Function::write_bar(u32 bar, u64 offset, std::span<const std::byte> data) {
  if (bar == place_.table_bar && contains(place_.table(), offset)) {
    const std::lock_guard guard(lock_);
    const u64 within = offset - place_.table_offset;
    msix_->write_table(within, data);
    return update_delivery(static_cast<u32>(within / pci::MsiX::kEntrySize));
  }
  if (bar == place_.pending_bar && contains(place_.pending(), offset)) return;
  if (offset <= sizes_[bar] && data.size() <= sizes_[bar] - offset) {
    device_->write(bar, offset, data);
  }
}

}  // namespace mote::vfio
