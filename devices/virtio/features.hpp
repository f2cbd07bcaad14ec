// SPDX-License-Identifier: Apache-2.0
// Feature bits that belong to queue and transport [Virtio 1.2 6].
#pragma once

#include "core/types.hpp"

namespace mote::virtio::feature {

inline constexpr u64 kIndirectDesc = u64{1} << 28;
inline constexpr u64 kEventIdx = u64{1} << 29;
inline constexpr u64 kVersion1 = u64{1} << 32;
inline constexpr u64 kRingReset = u64{1} << 40;

}  // namespace mote::virtio::feature
