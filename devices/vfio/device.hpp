// SPDX-License-Identifier: Apache-2.0
// A function of the host that this process has, as VFIO gives it: regions, mappings, triggers.
// Tests put a device of their own behind it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/mapping.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote::vfio {

/// The configuration space; 0 to 5 are the BARs.
inline constexpr u32 kConfigRegion = 7;

/// A piece of a region.
struct Area {
  u64 offset = 0;
  u64 size = 0;
  u64 end() const { return offset + size; }
  bool operator==(const Area&) const = default;
};

struct Region {
  u64 size = 0;                ///< 0: there is none
  std::vector<Area> mappable;  ///< whole pages, ascending
  bool operator==(const Region&) const = default;
};

/// How a device sends interrupts.
enum class InterruptKind : u8 { kMsi, kMsix };

/// Reads and writes may come from several threads at once; all else from one.
class Device {
 public:
  virtual ~Device() = default;
  /// The address on the host; for messages.
  virtual std::string_view name() const = 0;
  /// `index`: a BAR, or kConfigRegion.
  virtual Region region(u32 index) const = 0;

  /// Accesses the device. False when it does not answer, and then `data` is as it was.
  virtual bool read(u32 region, u64 offset, std::span<std::byte> data) const = 0;
  virtual bool write(u32 region, u64 offset, std::span<const std::byte> data) const = 0;
  /// Maps what is `mappable` or a part of it, shared and writable.
  virtual Result<Mapping> map(u32 region, const Area& area) const = 0;

  /// Switches its interrupts on, vector n signalling eventfd `fds[n]`. Returns how many the host
  /// has for it: when these are fewer than `fds`, all stay off.
  virtual Result<u32> set_triggers(InterruptKind kind, std::span<const int> fds) const = 0;
};

}  // namespace mote::vfio
