// SPDX-License-Identifier: Apache-2.0
// Errors in the words that callers of the Firecracker jailer look for.
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"

namespace mote::jailer {

/// "what: No such file or directory (os error 2)".
Error os_error(std::string_view what, int errno_value);

}  // namespace mote::jailer
