// SPDX-License-Identifier: Apache-2.0
// The bus: which device answers at a port or an address. Looked up by vCPU threads without a lock.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace mote {

/// What answers accesses of the guest. Called from several vCPU threads at once: a device guards
/// its own state (devices here have one lock each and call nobody's lock while holding it, except
/// the interrupt controller's).
class IoDevice {
 public:
  virtual ~IoDevice() = default;
  /// For messages.
  virtual std::string_view name() const = 0;
  /// Fills `data` (1, 2, 4 or 8 bytes) from `offset` within the device's range.
  virtual void read(u64 offset, std::span<std::byte> data) = 0;
  /// Takes `data` (1, 2, 4 or 8 bytes) at `offset` within the device's range.
  virtual void write(u64 offset, std::span<const std::byte> data) = 0;
};

/// A sorted table of ranges; one for ports, one for memory-mapped devices. Filled before the first
/// vCPU runs, only read afterwards. An access that is claimed by nobody, or that straddles the end
/// of a range, reads as all ones and writes to nowhere.
class Bus {
 public:
  /// Adds a device at [start, start + size). Overlap is a bug of the caller.
  void add(u64 start, u64 size, IoDevice& device);
  /// False when nobody answered (`data` is all ones then).
  bool read(u64 address, std::span<std::byte> data) const;
  /// False when nobody took it.
  bool write(u64 address, std::span<const std::byte> data) const;

 private:
  struct Entry {
    u64 start;
    u64 size;
    IoDevice* device;
  };
  const Entry* find(u64 address, u64 length) const;
  std::vector<Entry> entries_;
};

/// Little-endian value of up to 8 bytes of an access.
u64 load_le(std::span<const std::byte> data);
/// Fills all of `data` from `value`, little-endian; bytes past the eighth are zero.
void store_le(std::span<std::byte> data, u64 value);
/// What an access reads where nothing answers.
void fill_ones(std::span<std::byte> data);

}  // namespace mote
