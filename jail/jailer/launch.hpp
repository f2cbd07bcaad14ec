// SPDX-License-Identifier: Apache-2.0
// The last steps: from the jailer's process to the program's.
#pragma once

#include <string>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"
#include "jail/jailer/arguments.hpp"

namespace mote::jailer {

/// When the jailer began: what the program is told about its start.
struct StartTimes {
  u64 wall_us;  ///< of the monotonic clock
  u64 cpu_us;   ///< of this process
};
StartTimes start_times();

/// Moves this process into the network namespace at `path`.
Result<void> join_network(const std::string& path);

/// setrlimit, hard and soft, for the size of files and the number of descriptors.
Result<void> limit_resources(const Arguments& arguments);

/// Becomes the program `name` in the root directory: daemonized and in a PID namespace of its own
/// as asked for, with its number in NAME.pid, the user's and group's rights and no environment.
/// `null` is /dev/null, open, when it is to be daemonized. Returns only with an Error; in the
/// processes that stay behind it ends them.
Error launch(const Arguments& arguments, const std::string& name, const StartTimes& start,
             const UniqueFd& null);

}  // namespace mote::jailer
