// SPDX-License-Identifier: Apache-2.0
// RawTerminal: the user's terminal handed to the guest, and given back on every way out.
#pragma once

namespace mote {

/// While it lives, standard input, if it is a terminal, passes every key on as it is typed. The old
/// settings return with the destructor, and also when the process dies of a signal that can be
/// caught. At most one at a time.
class RawTerminal {
 public:
  RawTerminal();
  ~RawTerminal() { restore(); }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  /// Gives the terminal back, if it has not been by now. Safe in a signal handler, and of
  /// system calls that every role may make.
  static void restore();
};

}  // namespace mote
