// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the known word nearest to a mistyped one. Pure, cold path.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mote {

/// The word of `known` with the smallest edit distance to `word`, when that is at most 2 or a third
/// of the word's length, whichever is more, and less than the word's length; else an empty view.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

/// "; did you mean 'nearest'?", or nothing when no known word is near.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace mote
