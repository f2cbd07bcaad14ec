// SPDX-License-Identifier: Apache-2.0
// Sealing threads: the ThreadSeal of a machine that is confined.
#pragma once

#include "core/thread_role.hpp"

namespace mote::jail {

/// Whether this build can hold filters. The run-time libraries of the sanitizers make system calls
/// of their own, which no table lists: with them `seal_thread` leaves threads as they are.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kCanSeal = false;
#elif defined(__has_feature)
inline constexpr bool kCanSeal =
    !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
inline constexpr bool kCanSeal = true;
#endif

/// Puts the calling thread under the filter of `role`, for good. See ThreadSeal.
Result<void> seal_thread(ThreadRole role);

}  // namespace mote::jail
