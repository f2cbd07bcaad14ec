// SPDX-License-Identifier: Apache-2.0
// The signals that a running VM is told by: SIGINT and SIGTERM end it, SIGUSR1 has it look at its
// disks.
#pragma once

#include "core/fd.hpp"
#include "core/result.hpp"

namespace mote {

/// Which of them are read.
enum class ServedSignals {
  kAll,
  kNoEnd,  ///< SIGINT and SIGTERM do what they do by default
};

/// Blocks them, and ignores those that would stop or end a VM by the way. Before there is another
/// process or thread, so that all inherit it.
void prepare_signals(ServedSignals which = ServedSignals::kAll);

/// A signalfd of them.
Result<UniqueFd> signals_to_read(ServedSignals which = ServedSignals::kAll);

}  // namespace mote
