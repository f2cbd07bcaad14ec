// SPDX-License-Identifier: Apache-2.0
// The first 256 bytes of a function's configuration space: identity, command, BARs, capabilities
// [PCI-3.0 6]. Bytes and which of their bits a guest may write; nothing else has a meaning here.
#pragma once

#include <array>
#include <span>

#include "core/types.hpp"
#include "devices/pci/function.hpp"

namespace mote::pci {

/// Who a function is [PCI-3.0 6.2.1].
struct Identity {
  u16 vendor = 0;
  u16 device = 0;
  u16 subsystem_vendor = 0;
  u16 subsystem = 0;
  u8 revision = 0;
  u32 class_code = 0;  ///< 24 bits: class, subclass, interface
};

/// No lock: the function has one.
///
/// LIMIT: of the command register memory decoding counts. Bus mastering is kept, but a function
/// whose driver has been told where its memory is reads it without.
class ConfigSpace {
 public:
  static constexpr u32 kSize = 256;

  /// All that the guest can change; plain data. What it cannot change is as at the start.
  struct State {
    std::array<u8, kSize> bytes{};
    bool operator==(const State&) const = default;
  };

  ConfigSpace(const Identity& identity, const Bars& bars);

  /// Appends a capability: `body` is what stands behind its id and the pointer to the next one,
  /// `writable` the bits of it that the guest may write (shorter or empty: none of the rest).
  /// Returns where it lies. At the start only; more than fits is a bug of the caller.
  u8 add_capability(u8 id, std::span<const u8> body, std::span<const u8> writable = {});

  /// See Function. Offsets from kSize on read as zero and take nothing.
  void read(u32 offset, std::span<std::byte> data) const;
  void write(u32 offset, std::span<const std::byte> data);

  void place_bar(u32 bar, Gpa home);
  bool answers(u32 bar) const;

  /// `size` (1, 2 or 4) bytes at `offset`, below kSize, as a little-endian value.
  u32 value(u32 offset, u32 size) const;

  State save() const { return {bytes_}; }
  /// Takes any State; bits that a guest cannot write stay as they are.
  void restore(const State& state);

 private:
  void set(u32 offset, u32 size, u32 value);
  void allow(u32 offset, u32 size, u32 bits);
  u64 bar_register(u32 bar) const;

  std::array<u8, kSize> bytes_{};
  std::array<u8, kSize> writable_{};
  Bars bars_;
  std::array<u64, kBarCount> homes_{};
  u32 end_ = 0x40;        // behind the last capability
  u32 last_link_ = 0x34;  // where the pointer to the next one goes
};

}  // namespace mote::pci
