// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/net/control.hpp"

#include <cstring>
#include <optional>

#include "devices/virtio/net/header.hpp"

namespace mote::virtio {
namespace {

/// Class and command in one number [Virtio 1.2 5.1.6.5].
constexpr u32 code(u8 command_class, u8 command) {
  return command_class * 0x100u + command;
}
constexpr u32 kAnnounceAck = code(3, 0);
constexpr u32 kPairsSet = code(4, 0);
constexpr u32 kOffloadsSet = code(5, 0);

/// The command's own bytes, if they are exactly a T.
template <class T>
std::optional<T> argument(std::span<const std::byte> bytes) {
  if (bytes.size() != sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

}  // namespace

bool are_offloads_possible(u64 offloads, u64 features) {
  if ((offloads & ~(features & net_feature::kGuestOffloads)) != 0) return false;
  return (offloads & net_feature::kGuestSegments) == 0 || (offloads & net_feature::kGuestCsum) != 0;
}

NetCommand parse_net_command(std::span<const std::byte> bytes, const NetControlLimits& limits) {
  if (bytes.size() < 2) return {};
  const auto offers = [&](u64 feature) { return (limits.features & feature) != 0; };
  const u32 command = code(static_cast<u8>(bytes[0]), static_cast<u8>(bytes[1]));
  const auto rest = bytes.subspan(2);
  if (command == kPairsSet && offers(net_feature::kMq)) {
    const auto pairs = argument<u16>(rest);
    if (!pairs || *pairs < 1 || *pairs > limits.pairs) return {};
    return {.kind = NetCommandKind::kSetPairs, .pairs = *pairs};
  }
  if (command == kOffloadsSet && offers(net_feature::kCtrlGuestOffloads)) {
    const auto offloads = argument<u64>(rest);
    if (!offloads || !are_offloads_possible(*offloads, limits.features)) return {};
    return {.kind = NetCommandKind::kSetOffloads, .offloads = *offloads};
  }
  if (command == kAnnounceAck && offers(net_feature::kGuestAnnounce) && rest.empty()) {
    return {.kind = NetCommandKind::kAnnounced};
  }
  return {};
}

}  // namespace mote::virtio
