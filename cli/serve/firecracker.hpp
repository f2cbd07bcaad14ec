// SPDX-License-Identifier: Apache-2.0
// The command line and the exit codes of the program `firecracker`, for those who call Mote by that
// name. Pure, but for the configuration file that is read.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/exit_code.hpp"
#include "cli/serve/serve.hpp"
#include "core/result.hpp"

namespace mote {

/// The version whose behaviour this is.
inline constexpr std::string_view kFirecrackerVersion = "1.16.1";

/// How it ends.
inline constexpr int kFirecrackerFailure = 1;
inline constexpr int kFirecrackerBadCall = 148;
inline constexpr int kFirecrackerBadLevel = 152;
inline constexpr int kFirecrackerBadArguments = 153;
int firecracker_exit_code(ExitCode code);

/// Whether a program that was called by this path is to behave so.
bool is_called_firecracker(std::string_view program);

/// What it is asked for: to print something and end, or to serve.
struct FirecrackerCommand {
  std::string text;       ///< to print; empty: nothing
  bool is_error = false;  ///< where it goes
  int exit_code = 0;      ///< behind the text
  ServeOptions options;   ///< without a text
};
FirecrackerCommand parse_firecracker(std::span<const char* const> words);

}  // namespace mote
