// SPDX-License-Identifier: Apache-2.0
// `mote ctl`: a request of the API, asked, and its answer on standard output.
#pragma once

#include "cli/ctl_request.hpp"
#include "cli/exit_code.hpp"
#include "core/result.hpp"

namespace mote {

/// Asks, prints what there is to see, and what was refused on standard error. An Error when there
/// is no answer that could be understood.
Result<ExitCode> ctl_command(const CtlRequest& request);

}  // namespace mote
