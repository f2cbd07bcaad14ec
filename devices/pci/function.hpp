// SPDX-License-Identifier: Apache-2.0
// What a PCI function and the host bridge know of each other. Neither knows KVM.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "core/types.hpp"

namespace mote::pci {

/// Base address registers of a function of header type 0 [PCI-3.0 6.2.5].
inline constexpr u32 kBarCount = 6;
/// Bytes of configuration space, of which a function may have fewer [PCIe-5.0 7.2.1].
inline constexpr u32 kConfigSize = 4096;

/// A range of memory that a function answers in. There are no ranges of ports.
struct Bar {
  u64 size = 0;           ///< a power of two, 4 KiB at least; 0: there is none
  bool is_64bit = false;  ///< takes the next register as well, whose own size is 0
  bool is_prefetchable = false;
};
using Bars = std::array<Bar, kBarCount>;

/// One function on bus 0. Calls come from several vCPU threads at once; the function guards itself.
///
/// BARs have a home, where the host bridge has placed them before the guest runs, and nowhere else
/// does a function answer: the registers take what the guest writes, as in hardware, but what it
/// moves away or switches off answers nothing until it is back at home.
class Function {
 public:
  virtual ~Function() = default;
  /// For messages.
  virtual std::string_view name() const = 0;

  /// Always the same.
  virtual Bars bars() const = 0;
  /// The home of BAR `bar`, which the register shows from now on; a multiple of its size. Once for
  /// each BAR that has a size, before the first vCPU runs.
  virtual void place_bar(u32 bar, Gpa home) = 0;
  /// Whether BAR `bar` answers now: memory decoding is on, and the register shows the home.
  virtual bool answers(u32 bar) const = 0;

  /// Reads from the configuration space: 1, 2 or 4 bytes within one aligned word of 4, below
  /// kConfigSize. What there is not reads as zero.
  virtual void read_config(u32 offset, std::span<std::byte> data) = 0;
  /// Writes likewise; what is not writable is ignored.
  virtual void write_config(u32 offset, std::span<const std::byte> data) = 0;

  /// Fills `data` (1, 2, 4 or 8 bytes, as the guest likes to align them) from `offset` within BAR
  /// `bar`, which answers.
  virtual void read_bar(u32 bar, u64 offset, std::span<std::byte> data) = 0;
  /// Takes `data` likewise.
  virtual void write_bar(u32 bar, u64 offset, std::span<const std::byte> data) = 0;
};

/// Where a function's MSI-X messages go: a line to the local APICs for each vector.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  /// What vector `vector` sends from now on; nothing: its message reaches no local APIC. Only
  /// called when it changes, by vCPU threads, under the function's locks: it must not call back.
  virtual void set_message(u32 vector, const std::optional<MsiMessage>& message) = 0;
  /// Sends it. Any thread; under the function's locks as well.
  virtual void send(u32 vector) = 0;
};

}  // namespace mote::pci
