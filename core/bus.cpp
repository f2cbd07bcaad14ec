// SPDX-License-Identifier: Apache-2.0
#include "core/bus.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace mote {

void Bus::add(u64 start, u64 size, IoDevice& device) {
  CHECK(size > 0 && size <= ~u64{0} - start, "a device's range has a size and does not wrap");
  const auto next = std::lower_bound(entries_.begin(), entries_.end(), start,
                                     [](const Entry& e, u64 s) { return e.start < s; });
  CHECK(next == entries_.end() || start + size <= next->start, "devices do not overlap");
  CHECK(next == entries_.begin() || (next - 1)->start + (next - 1)->size <= start,
        "devices do not overlap");
  entries_.insert(next, Entry{start, size, &device});
}

const Bus::Entry* Bus::find(u64 address, u64 length) const {
  auto after = std::upper_bound(entries_.begin(), entries_.end(), address,
                                [](u64 a, const Entry& e) { return a < e.start; });
  if (after == entries_.begin()) return nullptr;
  const Entry& entry = *(after - 1);
  const u64 offset = address - entry.start;
  if (offset >= entry.size || length > entry.size - offset) return nullptr;
  return &entry;
}

bool Bus::read(u64 address, std::span<std::byte> data) const {
  const Entry* entry = find(address, data.size());
  if (entry == nullptr) {
    fill_ones(data);
    return false;
  }
  entry->device->read(address - entry->start, data);
  return true;
}

bool Bus::write(u64 address, std::span<const std::byte> data) const {
  const Entry* entry = find(address, data.size());
  if (entry == nullptr) return false;
  entry->device->write(address - entry->start, data);
  return true;
}

u64 load_le(std::span<const std::byte> data) {
  u64 value = 0;
  for (std::size_t i = std::min<std::size_t>(data.size(), 8); i-- > 0;) {
    value = (value << 8) | static_cast<u64>(data[i]);
  }
  return value;
}

void store_le(std::span<std::byte> data, u64 value) {
  for (std::byte& byte : data) {
    byte = static_cast<std::byte>(value & 0xff);
    value >>= 8;
  }
}

void fill_ones(std::span<std::byte> data) {
  std::fill(data.begin(), data.end(), std::byte{0xff});
}

}  // namespace mote
