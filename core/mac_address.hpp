// SPDX-License-Identifier: Apache-2.0
// MAC addresses: how people write them, and one for an interface that was given none. Pure.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// In the order in which the bytes go over the wire.
using MacAddress = std::array<u8, 6>;

/// Reads six pairs of hexadecimal digits between colons ("02:00:5e:00:53:01"). The Error says what
/// was expected and quotes `text`.
Result<MacAddress> parse_mac(std::string_view text);
/// What `parse_mac` reads back, in small letters.
std::string print_mac(const MacAddress& mac);

/// Whether the address is that of one interface: not of a group (multicast, broadcast), not zero.
bool is_unicast(const MacAddress& mac);

/// The address of interface `id` whose frames go to `port`: unicast, locally administered, and the
/// same whenever id and port are.
MacAddress default_mac(std::string_view id, std::string_view port);

}  // namespace mote
