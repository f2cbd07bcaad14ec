// SPDX-License-Identifier: Apache-2.0
// Devices whose registers are one byte wide, as on the ISA bus. Called by vCPU threads.
#pragma once

#include "core/bus.hpp"
#include "core/types.hpp"

namespace mote {

/// An IoDevice of byte-wide registers. A wider access is that many byte accesses in a row, lowest
/// address first, which is what the ISA bus makes of it.
class ByteDevice : public IoDevice {
 public:
  void read(u64 offset, std::span<std::byte> data) final {
    for (std::byte& byte : data) byte = static_cast<std::byte>(read_byte(offset++));
  }
  void write(u64 offset, std::span<const std::byte> data) final {
    for (const std::byte byte : data) write_byte(offset++, static_cast<u8>(byte));
  }

 protected:
  virtual u8 read_byte(u64 offset) = 0;
  virtual void write_byte(u64 offset, u8 value) = 0;
};

/// One range of ports of a device that answers at several. `Owner` has `u8 read_port(u16 port)` and
/// `void write_port(u16 port, u8 value)`, both by absolute port number.
template <class Owner>
class PortWindow final : public ByteDevice {
 public:
  PortWindow(Owner& owner, std::string_view name, u16 first, u16 count)
      : owner_(owner), name_(name), first_(first), count_(count) {}

  std::string_view name() const override { return name_; }
  void attach(Bus& ports) { ports.add(first_, count_, *this); }

 private:
  u16 port(u64 offset) const { return static_cast<u16>(first_ + offset); }
  u8 read_byte(u64 offset) override { return owner_.read_port(port(offset)); }
  void write_byte(u64 offset, u8 value) override { owner_.write_port(port(offset), value); }

  Owner& owner_;
  const std::string_view name_;
  const u16 first_;
  const u16 count_;
};

}  // namespace mote
