// SPDX-License-Identifier: Apache-2.0
// Sizes as people write them: "128MiB". Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// Reads a whole number directly followed by KiB, MiB, GiB or TiB ("128MiB"). Spaces, fractions,
/// bare numbers and decimal units ("128MB") are refused, as is what does not fit 64 bits. The Error
/// says what was expected and quotes `text`.
Result<u64> parse_size(std::string_view text);

/// The shortest text that `parse_size` reads back as `bytes`: "1GiB", "1536MiB"; "4097 bytes" for
/// what is no multiple of 1 KiB.
std::string print_size(u64 bytes);

}  // namespace mote
