// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/net/control_queue.hpp"

#include <array>

namespace mote::virtio {
namespace {

/// Commands that one look at the ring takes at most; each may have to wait for the host.
constexpr u32 kBurst = 8;

constexpr std::byte kOk{0};
constexpr std::byte kErr{1};

}  // namespace

bool NetControlQueue::serve() {
  u32 taken = 0;
  for (; taken < kBurst && pop(chain()); ++taken) {
    const NetCommand command = read();
    if (chain().writable_size() == 0) {
      give_up();
      break;
    }
    const bool done = command.kind != NetCommandKind::kRefused && handler_.execute(command);
    static_cast<void>(scatter(chain().writable(), std::span(done ? &kOk : &kErr, 1)));
    queue().push(chain().head(), 1);
  }
  return taken > 0;
}

NetCommand NetControlQueue::read() {
  std::array<std::byte, kMaxNetCommandSize> bytes;
  const u64 size = chain().readable_size();
  if (size > bytes.size()) return {};
  const auto command = std::span(bytes).first(size);
  if (!gather(chain().readable(), command)) return {};
  return parse_net_command(command, {.features = device_.rules.features, .pairs = pairs_});
}

}  // namespace mote::virtio
