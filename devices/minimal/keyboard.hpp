// SPDX-License-Identifier: Apache-2.0
// A keyboard at which nobody types: it answers a driver's commands, and its only keys are those of
// Ctrl-Alt-Del. Pure; called under the lock of the controller that it is plugged into.
#pragma once

#include <array>
#include <span>

#include "core/types.hpp"

namespace mote {

/// A PS/2 keyboard of scan code set 2. What it sends waits in a buffer as small as in real ones.
///
/// `translates` says whether the controller turns what is sent into codes of set 1, as PCs do.
/// Instead of bytes on their way being translated, those are put into the buffer that come out.
class Keyboard {
 public:
  static constexpr std::size_t kBufferSize = 16;

  /// All that the guest can change; plain data.
  struct State {
    std::array<u8, kBufferSize> bytes{};  ///< to be sent, oldest first
    u8 count = 0;
    u8 pending = 0;        ///< the command whose argument is awaited, or 0
    bool scanning = true;  ///< keys that are pressed count
    bool operator==(const State&) const = default;
  };

  bool has_byte() const { return state_.count > 0; }
  /// The oldest byte. Precondition: there is one.
  u8 take();
  /// A command, or an argument of one. Answers that the buffer has no room for are lost.
  void write(u8 value, bool translates);
  /// Presses Ctrl, Alt and Del, and lets go of them. False when the driver has switched keys off or
  /// the buffer has no room: nothing is sent.
  bool press_ctrl_alt_del(bool translates);

  const State& state() const { return state_; }
  /// Takes any State.
  void restore(const State& state);

 private:
  void argument(u8 command, u8 value, bool translates);
  void command(u8 value, bool translates);
  bool send(std::span<const u8> bytes);
  bool send(u8 byte) { return send(std::span(&byte, 1)); }

  State state_;
};

}  // namespace mote
