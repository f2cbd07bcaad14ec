// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/interrupts.hpp"

#include <algorithm>
#include <bit>
#include <string>

#include "core/bus.hpp"
#include "core/check.hpp"
#include "core/text.hpp"
#include "devices/vfio/config_view.hpp"

namespace mote::vfio {
namespace {

constexpr u32 kControl = 2;  // of MSI-X's capability
constexpr u16 kEnabled = 1u << 15;

bool contains(const Area& area, u64 offset) {
  return offset >= area.offset && offset - area.offset < area.size;
}

MsixPlace limited(MsixPlace table) {
  table.vectors = std::min(table.vectors, Interrupts::kMostVectors);
  return table;
}

}  // namespace

Interrupts::Interrupts(const MsixPlace& table) : table_(limited(table)) {}
Interrupts::Interrupts(const MsiShape& msi) : msi_(msi) {}

Result<void> Interrupts::switch_on(const Device& device, const TriggerLines& lines) {
  const InterruptKind kind = table_ ? InterruptKind::kMsix : InterruptKind::kMsi;
  u32& vectors = table_ ? table_->vectors : msi_.vectors;
  std::vector<int> fds;
  fds.reserve(vectors);
  for (u32 vector = 0; vector < vectors; ++vector) fds.push_back(lines.fd(vector));
  while (vectors != 0) {
    const u32 granted =
        std::min(vectors, TRY(device.set_triggers(kind, std::span(fds).first(vectors))));
    if (granted == vectors) return {};
    vectors = table_ ? granted : std::bit_floor(granted);
  }
  return Error::host("the host has no interrupt left for " + std::string(device.name()));
}

Result<void> Interrupts::connect(const Device& device, TriggerLines& lines,
                                 pci::ConfigSpace& config) {
  CHECK(lines_ == nullptr, "a function is connected once");
  TRY(switch_on(device, lines));
  lines_ = &lines;
  delivering_.resize(vectors());
  msix_.emplace(vectors(), lines);
  offset_ = table_ ? add_msix(*table_, config) : add_msi(msi_, config);
  return {};
}

void Interrupts::disconnect() {
  for (u32 vector = 0; vector < vectors(); ++vector) {
    if (delivering_[vector]) lines_->set_delivering(vector, false);
  }
  msix_->withdraw();
}

void Interrupts::on_config_written(const pci::ConfigSpace& config, u32 offset) {
  if (lines_ == nullptr) return;
  if (table_) {
    if (offset / 4 == offset_ / 4) {
      set_control(static_cast<u16>(config.value(offset_ + kControl, 2)));
    }
  } else if (contains({offset_, msi_.size()}, offset)) {
    take_registers(config);
  }
}

void Interrupts::take_registers(const pci::ConfigSpace& config) {
  const MsiRegisters registers = read_msi(msi_, config, offset_);
  for (u32 vector = 0; vector < vectors(); ++vector) {
    msix_->set_entry(vector, {registers.message_of(vector), registers.is_masked(vector)});
  }
  set_control(registers.enabled ? kEnabled : 0);
}

void Interrupts::set_control(u16 control) {
  const bool was_on = is_on_;
  is_on_ = (control & kEnabled) != 0;
  if (is_on_ && !was_on) {
    // What came while there were no interrupts is none.
    for (u32 vector = 0; vector < vectors(); ++vector) lines_->take_kept(vector);
  }
  msix_->set_control(control);
  for (u32 vector = 0; vector < vectors(); ++vector) update_delivery(vector);
}

void Interrupts::update_delivery(u32 vector) {
  const bool delivers = is_on_ && !msix_->is_masked(vector);
  if (delivers == delivering_[vector]) return;
  delivering_[vector] = delivers;
  lines_->set_delivering(vector, delivers);
}

void Interrupts::collect_kept() {
  if (!is_on_) return;
  for (u32 vector = 0; vector < vectors(); ++vector) {
    if (!delivering_[vector] && lines_->take_kept(vector)) msix_->raise(vector);
  }
}

void Interrupts::complete_config(const pci::ConfigSpace& config, u32 offset,
                                 std::span<std::byte> data) {
  if (lines_ == nullptr || table_ || !msi_.has_masks) return;
  const u32 pending_offset = offset_ + msi_.pending_offset();
  if (offset / 4 != pending_offset / 4) return;
  collect_kept();
  std::array<std::byte, 4> bits{};
  msix_->read_pending(0, bits);
  const MsiRegisters registers = read_msi(msi_, config, offset_);
  u32 shared = 0;
  for (u32 vector = 0; vector < vectors(); ++vector) {
    if (((load_le(bits) >> vector) & 1) != 0) shared |= 1u << registers.shared(vector);
  }
  store_le(data, shared >> (8 * (offset - pending_offset)));
}

bool Interrupts::in_table(u32 bar, u64 offset) const {
  return table_ && bar == table_->table_bar && contains(table_->table(), offset);
}

bool Interrupts::in_pending(u32 bar, u64 offset) const {
  return table_ && bar == table_->pending_bar && contains(table_->pending(), offset);
}

void Interrupts::read_bar(u32 bar, u64 offset, std::span<std::byte> data) {
  if (in_table(bar, offset)) return msix_->read_table(offset - table_->table_offset, data);
  collect_kept();
  msix_->read_pending(offset - table_->pending_offset, data);
}

void Interrupts::write_bar(u32 bar, u64 offset, std::span<const std::byte> data) {
  if (!in_table(bar, offset)) return;  // pending bits take nothing
  const u64 within = offset - table_->table_offset;
  msix_->write_table(within, data);
  update_delivery(static_cast<u32>(within / pci::MsiX::kEntrySize));
}

}  // namespace mote::vfio
