// SPDX-License-Identifier: Apache-2.0
// The keyboard controller, without a keyboard: what guests use it for is to reset the machine.
// Called by vCPU threads.
#pragma once

#include <array>
#include <mutex>

#include "devices/minimal/byte_device.hpp"
#include "devices/minimal/power.hpp"

namespace mote {

/// An 8042 with nothing plugged in, at ports 60h (data) and 64h (status, command).
///
/// Every command that has an answer is answered at once and the input buffer is never full, so that
/// no driver runs into a time-out. The test of the second port fails and its loop-back answers as
/// the first port's, so that a driver gives that port up. Bytes to the keyboard vanish.
/// One lock; `PowerSink::reset` is called without it.
class I8042 {
 public:
  static constexpr u16 kDataPort = 0x60;
  static constexpr u16 kCommandPort = 0x64;

  /// All that the guest can change; plain data.
  struct State {
    std::array<u8, 32> ram{};  ///< internal memory; byte 0 is the command byte
    u8 status = 0;             ///< without the output buffer's bit
    u8 pending = 0;            ///< the command whose data byte is awaited, or 0
    u8 output = 0;             ///< the byte in the output buffer
    bool output_full = false;
    bool operator==(const State&) const = default;
  };

  explicit I8042(PowerSink& power);

  void attach(Bus& ports);
  /// Ports other than the two read all ones and ignore writes.
  u8 read_port(u16 port);
  void write_port(u16 port, u8 value);

  State save() const;
  /// Takes any State.
  void restore(const State& state);

 private:
  bool command(u8 value);
  bool data(u8 value);
  void answer(u8 value);

  PowerSink& power_;
  mutable std::mutex lock_;
  State state_;
  PortWindow<I8042> data_window_{*this, "i8042 data", kDataPort, 1};
  PortWindow<I8042> command_window_{*this, "i8042 command", kCommandPort, 1};
};

}  // namespace mote
