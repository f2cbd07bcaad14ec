// SPDX-License-Identifier: Apache-2.0
// Names of network interfaces as the kernel takes them. Pure.
#pragma once

#include <string_view>

#include "core/result.hpp"

namespace mote {

/// Bytes that an interface's name may have (IFNAMSIZ, less the NUL).
inline constexpr std::size_t kMaxInterfaceName = 15;

/// Refuses what no interface can be called: an empty name, one that is too long, ".", "..", blanks,
/// control characters, '/' and ':', and '%', by which the kernel would make up a name. The Error
/// quotes `name` and says what is wrong with it.
Result<void> check_interface_name(std::string_view name);

}  // namespace mote
