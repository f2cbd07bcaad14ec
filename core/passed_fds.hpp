// SPDX-License-Identifier: Apache-2.0
// Descriptors that go with a message over a Unix socket (SCM_RIGHTS, unix(7)).
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <vector>

#include "core/fd.hpp"
#include "core/result.hpp"

namespace mote {

/// As many as one message of ours has room for.
inline constexpr std::size_t kMostPassedFds = 8;

/// Sends `bytes` in one piece, and a copy of each of `fds`, of which there are kMostPassedFds at
/// the most.
Result<void> send_with_fds(const UniqueFd& socket, std::span<const std::byte> bytes,
                           std::span<const UniqueFd> fds);

/// Waits for a message, fills `bytes` and returns what came with it. Fewer bytes, or the end of the
/// other side, are an Error.
Result<std::vector<UniqueFd>> receive_with_fds(const UniqueFd& socket, std::span<std::byte> bytes);

/// Takes over all descriptors that recvmsg(2) has put into `message`.
std::vector<UniqueFd> take_passed_fds(msghdr& message);

}  // namespace mote
