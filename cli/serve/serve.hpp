// SPDX-License-Identifier: Apache-2.0
// A process that serves the API of one VM: `mote serve`, and what it is called as Firecracker.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.hpp"
#include "core/log.hpp"
#include "core/result.hpp"
#include "vmm/config/json_reader.hpp"
#include "vmm/machine/timeline.hpp"

namespace mote {

/// What the command line says.
struct ServeOptions {
  std::string socket;  ///< empty: no API
  std::string id = "anonymous-instance";
  JsonConfig config;                 ///< sandbox and limits count in any case
  bool starts = false;               ///< `config` is a whole VM, to be started at once
  std::vector<std::string> folders;  ///< absolute paths that clients may name files below
  std::vector<std::string> taps;     ///< by name
  std::optional<LogLevel> log_level;
  LogFormat log_format = LogFormat::kPlain;
  std::size_t most_body = 51200;  ///< bytes of a request's body
  /// As that program behaves: no sandbox of our own but the filters, the log on standard output,
  /// threads' names, no remains of a signal but the signal itself.
  bool as_firecracker = false;
  bool has_filters = true;  ///< `as_firecracker`; else the sandbox has them
};

/// Serves until the VM has ended, or was never started and is not to be any more. Returns the exit
/// code in any case where a guest was not started; otherwise the process ends here.
Result<ExitCode> serve(const ServeOptions& options, Timeline& timeline);

}  // namespace mote
