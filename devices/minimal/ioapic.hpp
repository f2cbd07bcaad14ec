// SPDX-License-Identifier: Apache-2.0
// The I/O APIC: 24 pins that become messages to the local APICs. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <optional>

#include "core/bus.hpp"
#include "core/types.hpp"

namespace mote {

/// Where the I/O APIC's messages go. Called on any thread, under the I/O APIC's lock: it must not
/// call back.
///
/// Extended destination bits (5..11 of the address) are passed on in the guest's layout; who hands
/// the message to KVM moves them to where KVM wants them.
class MsiSink {
 public:
  virtual ~MsiSink() = default;
  /// Sends one interrupt now.
  virtual void deliver(const MsiMessage& message) = 0;
  /// Sets what GSI n = pin n stands for, or takes it away. Only called when it changes.
  virtual void set_route(Pin pin, const std::optional<MsiMessage>& message) = 0;
};

/// An 82093AA with its registers at two addresses [82093AA, Intel 290566-001].
///
/// A pin has a route while something needs one: level-triggered entries, because the end of an
/// interrupt is reported for routed vectors only, and pins that an irqfd signals. A masked entry
/// has none, except from the delivery of a level-triggered interrupt to its end: until then the
/// route under which it was delivered stays, whatever the guest writes, or its end would be missed.
///
/// Registers: IOREGSEL at 00h takes and gives its low byte at any width; IOWIN at 10h is written
/// with 32 bits and read with up to 32. All else reads all ones and ignores writes.
///
/// LIMIT: the polarity bit is kept but not applied (lines are logical levels). SMI, ExtINT,
/// reserved delivery modes and vectors below 16 are not delivered.
/// One lock, last in the order: devices call in with theirs held.
class IoApic final : public IoDevice {
 public:
  static constexpr u64 kSize = 0x1000;

  /// All that guest and devices can change; plain data. Which pins have irqfds is set-up, not
  /// state.
  struct State {
    u8 select = 0;
    u8 id = 0;
    u32 levels = 0;                                  ///< bit n: line n is high
    std::array<u64, kPinCount> entries{};            ///< the redirection table
    std::array<MsiMessage, kPinCount> in_service{};  ///< as delivered; counts while Remote-IRR set
    bool operator==(const State&) const = default;
  };

  explicit IoApic(MsiSink& sink);

  std::string_view name() const override { return "ioapic"; }
  void read(u64 offset, std::span<std::byte> data) override;
  void write(u64 offset, std::span<const std::byte> data) override;

  /// Drives a line. An edge-triggered entry delivers at the change from low to high, a
  /// level-triggered one while it is high and no earlier interrupt of this pin is unfinished.
  /// Edges at a masked entry are lost, as in the chip.
  void set_level(Pin pin, bool high);
  /// A vCPU has finished a level-triggered interrupt with this vector.
  void end_of_interrupt(u8 vector);
  /// From now on the pin has a route whenever its entry is unmasked, for an irqfd to go through.
  void use_irqfd(Pin pin);
  /// Whether the pin's irqfd delivers now: it has one, and its entry is unmasked and
  /// edge-triggered. Wait-free, any thread.
  bool delivers_by_irqfd(Pin pin) const {
    return (irqfd_ready_.load(std::memory_order_acquire) >> index(pin) & 1) != 0;
  }

  State save() const;
  /// Takes any State, and sets the routes that follow from it. Delivers nothing.
  void restore(const State& state);

 private:
  u32 read_window() const;
  void write_window(u32 value);
  void write_entry(u32 pin, u64 value);
  void deliver_edge(u32 pin);
  void deliver_level(u32 pin);
  void update_route(u32 pin);

  MsiSink& sink_;
  mutable std::mutex lock_;
  State state_;
  u32 irqfd_pins_ = 0;
  std::atomic<u32> irqfd_ready_{0};
  std::array<std::optional<MsiMessage>, kPinCount> routes_;
};

}  // namespace mote
