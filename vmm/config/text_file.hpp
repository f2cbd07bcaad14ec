// SPDX-License-Identifier: Apache-2.0
// A configuration file's text.
#pragma once

#include <string>

#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// More than any VM needs.
inline constexpr std::size_t kMaxConfigFile = kMiB;

/// What the file `path` holds; of a file above kMaxConfigFile no more than shows that it is.
Result<std::string> read_text_file(const std::string& path);

}  // namespace mote
