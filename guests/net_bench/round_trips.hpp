// SPDX-License-Identifier: Apache-2.0
// net_bench's round trips: one frame out, the same one in again, and how long that took.
#pragma once

#include "guests/kit/types.hpp"

namespace kit::net_bench {

/// One frame to send, and all buffers to receive with.
void prepare_round_trips();
/// Frames one after the other for so many ticks, anew; the ticks that passed.
u64 run_round_trips(u64 ticks);
/// Prints the times of the last run.
void report_round_trips();

}  // namespace kit::net_bench
