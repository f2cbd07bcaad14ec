// SPDX-License-Identifier: Apache-2.0
// What the host's kernel says of its network interfaces, by rtnetlink(7). Sees the network
// namespace that the process is in, whatever is mounted at /sys.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote::virtio {

/// One interface.
struct LinkFacts {
  std::string kind;  ///< "tun" for taps too, "bridge", "veth" ...; empty for a network card
  bool up = false;
  u32 mtu = 0;
  // Of taps and tuns only.
  bool carries_frames = false;  ///< a tap; else packets without Ethernet headers
  bool multi_queue = false;
  u32 queues = 0;  ///< open descriptors, in use or not; 0 for taps that are not multi_queue
  std::optional<u32> owner;
  std::optional<u32> group;
  bool operator==(const LinkFacts&) const = default;
};

/// Reads the kernel's answer to a question for one interface: a message RTM_NEWLINK without its
/// netlink header. What is cut short is left out. Pure.
LinkFacts parse_link(std::span<const std::byte> message);

/// A way to the kernel's interfaces.
class Links {
 public:
  static Result<Links> open();
  /// Nothing when there is no interface of that name. Needs no rights.
  Result<std::optional<LinkFacts>> look_at(const std::string& name) const;
  /// These need CAP_NET_ADMIN.
  Result<void> set_up(const std::string& name) const;
  Result<void> set_mtu(const std::string& name, u32 mtu) const;

 private:
  explicit Links(UniqueFd socket) : socket_(std::move(socket)) {}
  UniqueFd socket_;
};

}  // namespace mote::virtio
