// SPDX-License-Identifier: Apache-2.0
// Descriptors that the process was started with and that nobody asked for; and how one is handed to
// another process.
#pragma once

#include <vector>

#include "core/fd.hpp"
#include "core/result.hpp"

namespace mote::jail {

/// Closes every descriptor but standard input, output and error and those in `kept`. A kept one
/// that is not open is left to whoever uses it.
Result<void> close_descriptors_except(std::vector<int> kept);

/// Hands a copy of `fd` to whoever holds the other end of the socket.
Result<void> send_descriptor(const UniqueFd& socket, const UniqueFd& fd);
/// Waits for such a one. Empty when the other end was closed instead.
UniqueFd receive_descriptor(const UniqueFd& socket);

}  // namespace mote::jail
