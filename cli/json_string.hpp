// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace mote {

/// `text` as a JSON string, with its quotation marks.
std::string json_string(std::string_view text);

}  // namespace mote
