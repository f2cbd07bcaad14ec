// SPDX-License-Identifier: Apache-2.0
// `mote vfio`: shows the host's PCI functions, readies them for guests and gives them back.
#pragma once

#include <string>

#include "cli/options.hpp"
#include "core/result.hpp"
#include "devices/vfio/host_functions.hpp"

namespace mote {

/// Does what `line`, of `vfio_options`, asks of `host`, and returns what there is to print. The
/// Error names the word at fault, or what the host refused and the remedy.
Result<std::string> vfio_command(const CommandLine& line, const vfio::HostFunctions& host);

}  // namespace mote
