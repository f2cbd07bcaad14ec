// SPDX-License-Identifier: Apache-2.0
// Text for messages: printf-style formatting into a std::string. Cold paths only.
#pragma once

#include <string>

namespace mote {

/// Formats like printf.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

}  // namespace mote
