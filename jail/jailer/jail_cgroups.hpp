// SPDX-License-Identifier: Apache-2.0
// The control groups that the jailer's flags name: made from the root of each tree, and kept, since
// whoever called it removes them.
#pragma once

#include <string>

#include "core/result.hpp"
#include "jail/jailer/arguments.hpp"

namespace mote::jailer {

/// Makes PARENT/ID in each tree that a file belongs to, writes all files, then moves this process
/// into it, once per tree. Without files but with a parent, in v2, the process moves into the
/// parent if it exists. `program`: the parent where none is given.
Result<void> enter_cgroups(const Arguments& arguments, const std::string& program);

}  // namespace mote::jailer
