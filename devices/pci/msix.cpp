// SPDX-License-Identifier: Apache-2.0
// MSI-X; see msix.hpp. Section numbers are PCI 3.0's.
#include "devices/pci/msix.hpp"

#include <algorithm>
#include <array>

#include "core/bus.hpp"
#include "core/check.hpp"

namespace mote::pci {
namespace {

constexpr u8 kCapability = 0x11;
// Message Control (6.8.2.3).
constexpr u16 kEnabled = 1u << 15;
constexpr u16 kFunctionMasked = 1u << 14;

// Words of an entry (6.8.2.6 to 6.8.2.9).
constexpr u64 kAddressLow = 0;
constexpr u64 kAddressHigh = 4;
constexpr u64 kData = 8;
constexpr u64 kVectorControl = 12;
constexpr u32 kMasked = 1;

/// What the local APICs listen to [SDM 3A 11.11.1].
constexpr u32 kApicAddress = 0xfee0'0000;
constexpr u32 kApicAddressMask = 0xfff0'0000;

/// A message to anywhere else would be a write to memory, which no driver asks for.
std::optional<MsiMessage> to_apic(const MsiMessage& message) {
  const bool is_interrupt =
      (message.address_low & kApicAddressMask) == kApicAddress && message.address_high == 0;
  return is_interrupt ? std::optional(message) : std::nullopt;
}

u32 read_word(const MsiX::Entry& entry, u64 word) {
  switch (word) {
    case kAddressLow:
      return entry.message.address_low;
    case kAddressHigh:
      return entry.message.address_high;
    case kData:
      return entry.message.data;
    default:
      return entry.masked ? kMasked : 0;
  }
}

void write_word(MsiX::Entry& entry, u64 word, u32 value) {
  switch (word) {
    case kAddressLow:
      entry.message.address_low = value & ~u32{3};
      break;
    case kAddressHigh:
      entry.message.address_high = value;
      break;
    case kData:
      entry.message.data = value;
      break;
    case kVectorControl:
      entry.masked = (value & kMasked) != 0;
      break;
    default:
      break;
  }
}

/// Whether software may access a table like this (6.8.2).
bool is_legal(u64 offset, std::size_t width, u64 size) {
  return (width == 4 || width == 8) && offset % width == 0 && offset < size;
}

}  // namespace

MsiX::MsiX(u32 vectors, MessageSink& sink)
    : sink_(sink), table_(vectors), pending_(vectors), published_(vectors) {
  CHECK(vectors >= 1 && vectors <= kMaxVectors, "MSI-X has 1 to 2048 vectors");
}

u8 MsiX::add_capability(ConfigSpace& config, u32 bar, u32 table_offset, u32 pending_offset) const {
  std::array<u8, 10> body{};
  const auto bytes = std::as_writable_bytes(std::span(body));
  store_le(bytes.subspan(0, 2), vectors() - 1);
  store_le(bytes.subspan(2, 4), table_offset | bar);
  store_le(bytes.subspan(6, 4), pending_offset | bar);
  constexpr std::array<u8, 2> kWritable = {0, (kEnabled | kFunctionMasked) >> 8};
  return config.add_capability(kCapability, body, kWritable);
}

void MsiX::set_control(u16 control) {
  const std::lock_guard guard(lock_);
  const bool enabled = (control & kEnabled) != 0;
  const bool function_masked = (control & kFunctionMasked) != 0;
  if (enabled == enabled_ && function_masked == function_masked_) return;
  enabled_ = enabled;
  function_masked_ = function_masked;
  update_all();
}

void MsiX::read_table(u64 offset, std::span<std::byte> data) const {
  if (!is_legal(offset, data.size(), table_size())) return fill_ones(data);
  const std::lock_guard guard(lock_);
  const Entry& entry = table_[offset / kEntrySize];
  const u64 word = offset % kEntrySize;
  for (u64 done = 0; done < data.size(); done += 4) {
    store_le(data.subspan(done, 4), read_word(entry, word + done));
  }
}

void MsiX::write_table(u64 offset, std::span<const std::byte> data) {
  if (!is_legal(offset, data.size(), table_size())) return;
  const std::lock_guard guard(lock_);
  Entry& entry = table_[offset / kEntrySize];
  const u64 word = offset % kEntrySize;
  for (u64 done = 0; done < data.size(); done += 4) {
    write_word(entry, word + done, static_cast<u32>(load_le(data.subspan(done, 4))));
  }
  update(static_cast<u32>(offset / kEntrySize));
}

void MsiX::read_pending(u64 offset, std::span<std::byte> data) const {
  if (!is_legal(offset, data.size(), pending_size())) return fill_ones(data);
  const std::lock_guard guard(lock_);
  u64 bits = 0;
  const u64 first = offset * 8;
  const u64 end = std::min<u64>(first + data.size() * 8, pending_.size());
  for (u64 vector = first; vector < end; ++vector) {
    if (pending_[vector]) bits |= u64{1} << (vector - first);
  }
  store_le(data, bits);
}

void MsiX::set_entry(u32 vector, const Entry& entry) {
  const std::lock_guard guard(lock_);
  table_.at(vector) = entry;
  table_[vector].message.address_low &= ~u32{3};
  update(vector);
}

void MsiX::raise(u32 vector) {
  const std::lock_guard guard(lock_);
  if (vector >= table_.size() || !enabled_) return;
  if (holds_back(vector)) {
    pending_[vector] = true;
  } else {
    sink_.send(vector);
  }
}

void MsiX::forget_pending() {
  const std::lock_guard guard(lock_);
  pending_.assign(pending_.size(), false);
}

bool MsiX::is_masked(u32 vector) const {
  const std::lock_guard guard(lock_);
  return holds_back(vector);
}

bool MsiX::holds_back(u32 vector) const {
  return !enabled_ || function_masked_ || table_[vector].masked;
}

void MsiX::update_all() {
  for (u32 vector = 0; vector < table_.size(); ++vector) update(vector);
}

/// ORDER: the sink has the message before the interrupt that waited for it.
void MsiX::update(u32 vector) {
  publish(vector);
  if (!pending_[vector] || holds_back(vector)) return;
  pending_[vector] = false;
  sink_.send(vector);
}

void MsiX::publish(u32 vector) {
  if (holds_back(vector)) return;
  const std::optional<MsiMessage> message = to_apic(table_[vector].message);
  if (message == published_[vector]) return;
  published_[vector] = message;
  sink_.set_message(vector, message);
}

void MsiX::withdraw() {
  const std::lock_guard guard(lock_);
  for (u32 vector = 0; vector < published_.size(); ++vector) {
    if (!published_[vector]) continue;
    published_[vector].reset();
    sink_.set_message(vector, std::nullopt);
  }
}

MsiX::State MsiX::save() const {
  const std::lock_guard guard(lock_);
  return {table_, pending_};
}

void MsiX::restore(const State& state) {
  const std::lock_guard guard(lock_);
  for (u32 vector = 0; vector < table_.size(); ++vector) {
    table_[vector] = vector < state.table.size() ? state.table[vector] : Entry{};
    table_[vector].message.address_low &= ~u32{3};
    pending_[vector] = vector < state.pending.size() && state.pending[vector] && holds_back(vector);
    publish(vector);
  }
}

}  // namespace mote::pci
