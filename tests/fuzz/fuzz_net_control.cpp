// SPDX-License-Identifier: Apache-2.0
// Commands of a network device: the input is features, pairs, then the command as the driver sent
// it.
#include <cstring>

#include "core/check.hpp"
#include "devices/virtio/net/control.hpp"
#include "devices/virtio/net/header.hpp"

using namespace mote;
using namespace mote::virtio;

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  NetControlLimits limits;
  if (size < sizeof(limits.features) + 1) return 0;
  std::memcpy(&limits.features, bytes, sizeof(limits.features));
  limits.pairs = 1 + bytes[8] % 8u;
  const auto sent = std::as_bytes(std::span(bytes, size).subspan(9));
  const NetCommand command = parse_net_command(sent, limits);
  switch (command.kind) {
    case NetCommandKind::kSetPairs:
      CHECK(sent.size() == 4 && command.pairs >= 1 && command.pairs <= limits.pairs, "in range");
      CHECK((limits.features & net_feature::kMq) != 0, "negotiated");
      break;
    case NetCommandKind::kSetOffloads:
      CHECK(sent.size() == 10 && (command.offloads & ~limits.features) == 0, "negotiated");
      CHECK((command.offloads & ~net_feature::kGuestOffloads) == 0, "the guest's to switch");
      break;
    case NetCommandKind::kAnnounced:
      CHECK(sent.size() == 2, "no argument");
      break;
    case NetCommandKind::kRefused:
      CHECK(command.pairs == 0 && command.offloads == 0, "nothing to do");
      break;
  }
  CHECK(sent.size() <= kMaxNetCommandSize || command.kind == NetCommandKind::kRefused,
        "no command is longer");
  return 0;
}
