// SPDX-License-Identifier: Apache-2.0
// The command line of `mote serve` as ServeOptions.
#pragma once

#include "cli/options.hpp"
#include "cli/serve/serve.hpp"
#include "core/result.hpp"

namespace mote {

/// What the words of `mote serve` say. Reads the configuration file.
Result<ServeOptions> serve_arguments(const CommandLine& line);

/// --api-sock, --id and --no-api, which `firecracker` has too, and what they ask of each other.
Result<void> take_names(const CommandLine& line, ServeOptions& options);

}  // namespace mote
