// SPDX-License-Identifier: Apache-2.0
// RawTerminal: the user's terminal handed to the guest, and given back on every way out.
#pragma once

namespace mote {

/// From `begin` on standard input, if it is a terminal, passes every key on as it is typed. The old
/// settings return with the destructor, and also when the process dies of a signal that can be
/// caught; and in a process that was split in two, when either does. At most one at a time.
class RawTerminal {
 public:
  /// Remembers the settings.
  RawTerminal();
  ~RawTerminal() { restore(); }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  void begin();
  /// Gives the terminal back, if it has not been by now. Safe in a signal handler, and of
  /// system calls that every role may make.
  static void restore();
};

}  // namespace mote
