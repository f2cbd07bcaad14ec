// SPDX-License-Identifier: Apache-2.0
// A disk in one word, as the command line spells it. Pure.
#pragma once

#include <string_view>

#include "core/result.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// Reads "PATH[,KEY[=VALUE]]...": keys id, read_only, root, queues, queue_size and cache; read_only
/// and root without a value mean true. A path that holds a comma needs a TOML file. Ranges are for
/// `validate`. The Error says what is wrong with `text`.
Result<BlockConfig> parse_block_option(std::string_view text);

}  // namespace mote
