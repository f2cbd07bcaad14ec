// SPDX-License-Identifier: Apache-2.0
// The small files of which control groups and /proc are made: read whole, written in one piece.
#pragma once

#include <string>
#include <string_view>

#include "core/fd.hpp"
#include "core/result.hpp"

namespace mote::jail {

/// All of the file `path`, which is looked up from `directory` (AT_FDCWD: the current one).
Result<std::string> read_file_at(int directory, const std::string& path);

/// Writes `text` into the existing file `path` by one write(2). An Error says only what the kernel
/// said: the caller knows what it was good for.
Result<void> write_file_at(int directory, const std::string& path, std::string_view text);

}  // namespace mote::jail
