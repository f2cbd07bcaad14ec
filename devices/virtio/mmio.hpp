// SPDX-License-Identifier: Apache-2.0
// virtio over MMIO, version 2 [Virtio 1.2 4.2]: the registers by which a driver finds and drives a
// device. Knows nothing of the device's type.
#pragma once

#include "core/bus.hpp"
#include "core/guest_memory.hpp"
#include "core/irq_line.hpp"
#include "devices/virtio/transport.hpp"

namespace mote::virtio {

/// The registers of one device.
class MmioTransport final : public IoDevice, public Transport {
 public:
  static constexpr u64 kSize = 0x1000;
  /// Where the driver writes the number of a queue that it has filled.
  static constexpr u64 kQueueNotify = 0x050;

  /// `memory`, `device` and `line` outlive the transport.
  MmioTransport(const GuestMemory& memory, Device& device, IrqLine& line)
      : Transport(memory, device), line_(line) {}

  std::string_view name() const override { return device().name(); }
  void read(u64 offset, std::span<std::byte> data) override;
  void write(u64 offset, std::span<const std::byte> data) override;

  using Transport::restore;
  using Transport::save;

 private:
  void interrupt(u32, u32) override { line_.set_level(true); }
  void end_interrupt() override { line_.set_level(false); }

  u32 read_register(u64 offset);
  void write_register(u64 offset, u32 value);
  void write_queue_register(u64 offset, u32 value);

  IrqLine& line_;
};

}  // namespace mote::virtio
