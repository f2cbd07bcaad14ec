// SPDX-License-Identifier: Apache-2.0
// What happens when a thread makes a call that its role may not make.
#pragma once

#include "core/result.hpp"

namespace mote::jail {

/// From now on a forbidden call writes one line on standard error, naming thread and call, and ends
/// the process with `exit_code`; the call itself is not made. Before that `last_act`, if there is
/// one, is called on the thread at fault: it must be async-signal-safe, and of calls that every
/// role may make. Before the first filter.
Result<void> report_forbidden_calls(int exit_code, void (*last_act)());

}  // namespace mote::jail
