// SPDX-License-Identifier: Apache-2.0
// The guest's command line: the user's text with the words that the monitor adds. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace mote {

/// `user` with the words of `added`, which stand in front of the first `--` that is a word of its
/// own outside of double quotes (what follows it belongs to the program in the guest), else at the
/// end. Refused: control bytes, NUL among them, and more than kMaxCmdline bytes in all.
Result<std::string> build_cmdline(std::string_view user, std::span<const std::string> added);

/// Whether `word` is among the words of `user` that are the kernel's: those in front of that `--`.
bool has_word(std::string_view user, std::string_view word);

}  // namespace mote
