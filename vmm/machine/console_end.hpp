// SPDX-License-Identifier: Apache-2.0
// The host's end of the serial port, opened: standard input and output, a file, a pty, or nothing.
#pragma once

#include <string>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// Where the serial port's bytes come from and go to.
struct ConsoleEnd {
  /// Opens what `config` names.
  static Result<ConsoleEnd> open(const SerialConfig& config);
  /// The same open file, or both ends of the pty, once more.
  Result<ConsoleEnd> duplicate() const;

  int input = -1;   ///< -1: none
  int output = -1;  ///< -1: none
  bool is_terminal = false;
  std::string pty_path;  ///< where a pty's other end is; else empty
  UniqueFd owned;        ///< the file or the pty's master
  UniqueFd pty_slave;    ///< held open, so that the pty lives while nobody else has it open
};

}  // namespace mote
