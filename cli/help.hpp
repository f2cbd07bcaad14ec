// SPDX-License-Identifier: Apache-2.0
// Help texts, made from the tables of commands, options and exit codes. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mote {

struct Option;

/// One sub-command of the program.
struct Command {
  std::string_view name;
  std::string_view help;  ///< one line
  /// Does the command with the words after its name; returns the exit code.
  int (*run)(std::span<const char* const> words);
};

std::string program_help(std::span<const Command> commands);
std::string run_help();
std::string serve_help();
/// Of the program by the name of `firecracker`, which has these `options`.
std::string firecracker_help(std::span<const Option> options);
std::string doctor_help();
std::string ctl_help();
std::string seccomp_help();
std::string vfio_help();

}  // namespace mote
