// SPDX-License-Identifier: Apache-2.0
// Descriptors that the process was started with and that nobody asked for.
#pragma once

#include <vector>

#include "core/result.hpp"

namespace mote::jail {

/// Closes every descriptor but standard input, output and error and those in `kept`. A kept one
/// that is not open is left to whoever uses it.
Result<void> close_descriptors_except(std::vector<int> kept);

}  // namespace mote::jail
