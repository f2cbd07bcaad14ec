// SPDX-License-Identifier: Apache-2.0
// virtio over PCI, without the legacy interface [Virtio 1.2 4.1]: a function with one BAR, in which
// the registers, the notifications and MSI-X lie. Knows nothing of the device's type.
#pragma once

#include <mutex>
#include <vector>

#include "core/guest_memory.hpp"
#include "devices/pci/config_space.hpp"
#include "devices/pci/function.hpp"
#include "devices/pci/msix.hpp"
#include "devices/virtio/transport.hpp"

namespace mote::virtio {

/// One device on the PCI bus, with an MSI-X vector for each queue and one more for changes of the
/// configuration; which is which the driver says.
///
/// Registers take accesses of their own width only, 64-bit ones as two of 32; all else reads as
/// ones and is ignored. Without MSI-X the reasons for an interrupt are in the ISR status, but
/// nothing interrupts: there is no pin.
///
/// Locks: one for the configuration space, which is taken alone or before the transport's.
class PciTransport final : public pci::Function, public Transport {
 public:
  static constexpr u32 kBar = 0;
  static constexpr u64 kBarSize = 0x8000;
  /// Where in the BAR the driver's notifications of queue 0 go; those of the next queue follow.
  static constexpr u64 kNotify = 0x3000;
  static constexpr u64 kNotifyStride = 4;
  /// For a queue, or for the configuration: no vector.
  static constexpr u16 kNoVector = 0xffff;

  /// All that the guest can change; plain data. Saved while the queues are at rest.
  struct State {
    Transport::State driver;
    pci::ConfigSpace::State config;
    pci::MsiX::State msix;
    u16 config_vector = kNoVector;
    std::vector<u16> queue_vectors;
    bool operator==(const State&) const = default;
  };

  /// `memory`, `device` and `sink` outlive the transport; `sink` has `vectors(device)` lines.
  PciTransport(const GuestMemory& memory, Device& device, pci::MessageSink& sink);

  static u32 vectors(const Device& device) { return device.queue_count() + 1; }

  std::string_view name() const override { return device().name(); }
  pci::Bars bars() const override;
  void place_bar(u32 bar, Gpa home) override;
  bool answers(u32 bar) const override;
  void read_config(u32 offset, std::span<std::byte> data) override;
  void write_config(u32 offset, std::span<const std::byte> data) override;
  void read_bar(u32 bar, u64 offset, std::span<std::byte> data) override;
  void write_bar(u32 bar, u64 offset, std::span<const std::byte> data) override;

  /// Where the BAR is at home: see Function.
  Gpa home() const;

  /// Precondition: paused.
  State save() const;
  /// Takes any State; see Transport and MsiX. Before anything else was done.
  void restore(const State& state);

 private:
  void interrupt(u32 reason, u32 queue) override;
  void end_interrupt() override {}

  u32 read_common(u64 offset);
  void write_common(u64 offset, u32 value);
  void write_queue_register(u64 offset, u32 value);
  u16 vector(u32 queue) const;
  void set_vector(u16& vector, u32 value);
  void forget_vectors();
  void add_capabilities();
  bool window(u64& offset, std::size_t& width) const;

  mutable std::mutex config_lock_;  // guards the configuration space
  pci::ConfigSpace config_;
  u32 msix_capability_ = 0;
  u32 window_capability_ = 0;
  Gpa home_;
  pci::MsiX msix_;

  // Guarded by the interrupt's lock.
  u16 config_vector_ = kNoVector;
  std::vector<u16> queue_vectors_;
};

}  // namespace mote::virtio
