// SPDX-License-Identifier: Apache-2.0
// `mote ctl`: from words to a request of the API. Pure.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "api/http/client.hpp"
#include "cli/options.hpp"
#include "core/result.hpp"

namespace mote {

/// What is printed of an answer.
enum class CtlShow : u8 {
  kNothing,
  kBody,    ///< as it came
  kStatus,  ///< an instance, for people
  kEvents,  ///< of a stream of events the data, one object in a line
};

struct CtlRequest {
  std::string socket;
  http::Call call;
  CtlShow show = CtlShow::kNothing;
};

/// A thing that can be asked of a VM.
struct CtlVerb {
  std::string_view name;     ///< a word or two
  std::string_view operand;  ///< what the help calls the word behind it, or empty
  std::string_view help;     ///< one line
  /// Those that it takes, besides --api-sock and --help.
  std::array<std::string_view, 4> options;
  Result<CtlRequest> (*make)(const CommandLine& line);  ///< all but the socket
  bool needs_option = false;                            ///< one of them at least
};

/// In the order of the help.
std::span<const CtlVerb> ctl_verbs();

/// The request that `line`, of `ctl_options`, asks for. The Error names the word at fault.
Result<CtlRequest> ctl_request(const CommandLine& line);

}  // namespace mote
