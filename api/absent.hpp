// SPDX-License-Identifier: Apache-2.0
// Resources of Firecracker's API that Mote does not have, with the reason and a way around. Pure.
#pragma once

#include <string_view>

#include "api/http/message.hpp"

namespace mote::api {

/// Why there is no such resource; empty when it is none of those.
std::string_view why_absent(http::Method method, std::string_view resource);

}  // namespace mote::api
