// SPDX-License-Identifier: Apache-2.0
// A network interface in one word, as the command line spells it. Pure.
#pragma once

#include <string_view>

#include "core/result.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// Reads "TAP[,KEY=VALUE]..." or "fd=N[,fd=N]...[,KEY=VALUE]...": keys id, mac, mtu, queues and
/// queue_size; each fd is one more queue pair. Ranges are for `validate`. The Error says what is
/// wrong with `text`.
Result<NetConfig> parse_net_option(std::string_view text);

}  // namespace mote
