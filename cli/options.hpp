// SPDX-License-Identifier: Apache-2.0
// Options of the sub-commands: one table that the parser, the help and the tests of the man page
// and of the shell completion read. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// One long option.
struct Option {
  enum class Argument { kNone, kRequired, kOptional };  ///< optional ones only as --name=VALUE

  std::string_view name;  ///< without the dashes
  Argument argument;
  std::string_view metavar;  ///< what the help calls the argument
  std::string_view help;     ///< one line
  /// Puts the argument (empty when there is none) into `config`. Null for those that
  /// are no part of a configuration, as --help. An Error says only what is wrong with the argument.
  Result<void> (*apply)(std::string_view argument, VmConfig& config);
};

/// Options of `mote run`, in the order of its help.
std::span<const Option> run_options();
/// Options of `mote serve`.
std::span<const Option> serve_options();
/// Options of `mote doctor`.
std::span<const Option> doctor_options();
/// Options of all verbs of `mote ctl`.
std::span<const Option> ctl_options();
/// Options of `mote seccomp`.
std::span<const Option> seccomp_options();
/// Options of all verbs of `mote vfio`.
std::span<const Option> vfio_options();

/// The words after a sub-command, sorted but not yet applied.
struct CommandLine {
  struct Setting {
    const Option* option;
    std::string argument;
  };
  std::vector<Setting> settings;  ///< in the order given
  std::vector<std::string> operands;

  /// True when option `name` was given.
  bool has(std::string_view name) const;
  /// The argument of option `name` as it was given last; null when it was not.
  const std::string* argument(std::string_view name) const;
};

/// Sorts `words` by `options`. `command` ("mote run") is for the Error, which names the word at
/// fault and the nearest known option. A word "--" ends the options.
Result<CommandLine> parse_command_line(std::string_view command, std::span<const Option> options,
                                       std::span<const char* const> words);

/// Applies the settings over `config`, in order: a later one wins.
Result<void> apply_settings(const CommandLine& line, VmConfig& config);

}  // namespace mote
