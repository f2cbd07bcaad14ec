// SPDX-License-Identifier: Apache-2.0
// The parts of a device in one word: "PATH,KEY=VALUE,KEY". Pure.
#pragma once

#include <string_view>

#include "core/result.hpp"
#include "core/types.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// What stands before the first `mark`; `text` keeps what follows it.
std::string_view cut(std::string_view& text, char mark);

/// "KEY must be EXPECTED, not 'VALUE'".
Error refused_value(std::string_view key, std::string_view value, const char* expected);

/// Reads all of `value` as a whole number.
Result<void> set_option_number(std::string_view key, std::string_view value, u32& number);

/// Reads "mmio" or "pci".
Result<Transport> parse_transport(std::string_view value);

}  // namespace mote
