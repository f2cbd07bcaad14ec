// SPDX-License-Identifier: Apache-2.0
// Limits of the host's resources in one word: "cpu=1.5,memory=256MiB". Pure.
#pragma once

#include <string_view>

#include "core/result.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// Puts KEY=VALUE[,KEY=VALUE]... into `limits`; the keys are those of [limits], and a later one
/// wins. What the values mean together is for `validate`.
Result<void> parse_limit_option(std::string_view text, LimitsConfig& limits);

/// Reads a number of CPUs with up to three decimals ("1.5") as thousandths.
Result<u32> parse_cpus(std::string_view text);
/// The shortest text that `parse_cpus` reads back.
std::string print_cpus(u32 thousandths);

}  // namespace mote
