// SPDX-License-Identifier: Apache-2.0
// The keyboard controller: guests use it to reset the machine, and hear of Ctrl-Alt-Del by it.
// Called by vCPU threads, and by the event loop's when keys are pressed.
#pragma once

#include <array>
#include <mutex>

#include "core/irq_line.hpp"
#include "devices/minimal/byte_device.hpp"
#include "devices/minimal/keyboard.hpp"
#include "devices/minimal/power.hpp"

namespace mote {

/// An 8042 with a keyboard, at ports 60h (data) and 64h (status, command).
///
/// Every command that has an answer is answered at once and the input buffer is never full, so that
/// no driver runs into a time-out. The test of the second port fails and its loop-back answers as
/// the first port's, so that a driver gives that port up.
///
/// The output buffer shows one byte at a time: the controller's answer, else the next of the
/// keyboard's. Each of the latter is an edge of its own on the interrupt line, when the command
/// byte enables it; answers are not. One lock, under which the line is driven; `PowerSink::reset`
/// is called without it.
class I8042 {
 public:
  static constexpr u16 kDataPort = 0x60;
  static constexpr u16 kCommandPort = 0x64;

  /// All that the guest can change; plain data.
  struct State {
    std::array<u8, 32> ram{};  ///< internal memory; byte 0 is the command byte
    u8 status = 0;             ///< without the output buffer's bit
    u8 pending = 0;            ///< the command whose data byte is awaited, or 0
    u8 output = 0;             ///< the controller's answer, or the byte that was read last
    bool output_full = false;  ///< there is an answer
    Keyboard::State keyboard;
    bool operator==(const State&) const = default;
  };

  I8042(IrqLine& irq, PowerSink& power);

  void attach(Bus& ports);
  /// Ports other than the two read all ones and ignore writes.
  u8 read_port(u16 port);
  void write_port(u16 port, u8 value);

  /// Presses Ctrl, Alt and Del, and lets go of them. False when nothing comes of it: the guest has
  /// switched keyboard or port off, which is how it finds them, or does not read what was sent. The
  /// loop's thread.
  bool send_ctrl_alt_del();

  State save() const;
  /// Takes any State. Does not touch the interrupt line: its level is part of the interrupt
  /// controllers' state.
  void restore(const State& state);

 private:
  u8 read_data();
  bool command(u8 value);
  bool data(u8 value);
  void answer(u8 value);
  bool translates() const;
  bool port_is_on() const;
  bool shows_key() const;
  void update_line(bool is_next);

  IrqLine& irq_;
  PowerSink& power_;
  mutable std::mutex lock_;
  State state_;  // without the keyboard's
  Keyboard keyboard_;
  bool line_high_ = false;
  PortWindow<I8042> data_window_{*this, "i8042 data", kDataPort, 1};
  PortWindow<I8042> command_window_{*this, "i8042 command", kCommandPort, 1};
};

}  // namespace mote
