// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/net/links.hpp"

#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace mote::virtio {
namespace {

/// An answer is some 2 KiB long; a card with many virtual functions has more to say, of which
/// nothing is asked for.
constexpr std::size_t kAnswerSize = 32 * kKiB;

std::string interface(const std::string& name) {
  return "interface '" + name + "'";
}

/// The T at the start of `bytes`, zeros where they end early.
template <class T>
T read(std::span<const std::byte> bytes) {
  T value{};
  if (!bytes.empty()) std::memcpy(&value, bytes.data(), std::min(sizeof(T), bytes.size()));
  return value;
}

constexpr std::size_t padded(std::size_t size) {
  return (size + RTA_ALIGNTO - 1) & ~(std::size_t{RTA_ALIGNTO} - 1);
}

/// Calls `take(type, payload)` for each attribute that is there as a whole.
template <class Take>
void for_each_attribute(std::span<const std::byte> bytes, Take take) {
  while (bytes.size() >= sizeof(rtattr)) {
    const auto header = read<rtattr>(bytes);
    if (header.rta_len < sizeof(rtattr) || header.rta_len > bytes.size()) return;
    take(header.rta_type & NLA_TYPE_MASK,
         bytes.subspan(sizeof(rtattr), header.rta_len - sizeof(rtattr)));
    bytes = bytes.subspan(std::min(padded(header.rta_len), bytes.size()));
  }
}

std::string text(std::span<const std::byte> bytes) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return std::string(all.substr(0, all.find('\0')));
}

void take_tun(std::span<const std::byte> data, LinkFacts& facts) {
  for_each_attribute(data, [&](u32 type, std::span<const std::byte> value) {
    switch (type) {
      case IFLA_TUN_TYPE:
        facts.carries_frames = read<u8>(value) == IFF_TAP;
        break;
      case IFLA_TUN_MULTI_QUEUE:
        facts.multi_queue = read<u8>(value) != 0;
        break;
      case IFLA_TUN_NUM_QUEUES:
      case IFLA_TUN_NUM_DISABLED_QUEUES:
        facts.queues += read<u32>(value);
        break;
      case IFLA_TUN_OWNER:
        facts.owner = read<u32>(value);
        break;
      case IFLA_TUN_GROUP:
        facts.group = read<u32>(value);
        break;
      default:
        break;
    }
  });
}

void take_info(std::span<const std::byte> info, LinkFacts& facts) {
  std::span<const std::byte> data;
  for_each_attribute(info, [&](u32 type, std::span<const std::byte> value) {
    if (type == IFLA_INFO_KIND) facts.kind = text(value);
    if (type == IFLA_INFO_DATA) data = value;
  });
  if (facts.kind == "tun") take_tun(data, facts);
}

struct Request {
  nlmsghdr header;
  ifinfomsg link;
  rtattr name_header;
  char name[IFNAMSIZ];
  rtattr mask_header;
  u32 mask;
};
static_assert(sizeof(Request) == sizeof(nlmsghdr) + sizeof(ifinfomsg) + 4 + IFNAMSIZ + 8);

Request request_for(const std::string& name) {
  Request request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.name_header = {sizeof(rtattr) + IFNAMSIZ, IFLA_IFNAME};
  name.copy(request.name, IFNAMSIZ - 1);
  request.mask_header = {sizeof(rtattr) + sizeof(u32), IFLA_EXT_MASK};
  request.mask = RTEXT_FILTER_SKIP_STATS;
  return request;
}

ifreq request_by_ioctl(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

}  // namespace

LinkFacts parse_link(std::span<const std::byte> message) {
  LinkFacts facts;
  const auto link = read<ifinfomsg>(message);
  facts.up = (link.ifi_flags & IFF_UP) != 0;
  const std::size_t start = std::min(padded(sizeof(ifinfomsg)), message.size());
  for_each_attribute(message.subspan(start), [&](u32 type, std::span<const std::byte> value) {
    if (type == IFLA_MTU) facts.mtu = read<u32>(value);
    if (type == IFLA_LINKINFO) take_info(value, facts);
  });
  return facts;
}

Result<Links> Links::open() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) {
    return Error::from_errno(errno, "cannot ask the kernel for network interfaces",
                             "let the process have AF_NETLINK sockets");
  }
  return Links(std::move(socket));
}

Result<std::optional<LinkFacts>> Links::look_at(const std::string& name) const {
  const Request request = request_for(name);
  if (::send(socket_.get(), &request, sizeof(request), 0) < 0) {
    return Error::from_errno(errno, "cannot ask the kernel for " + interface(name));
  }
  std::byte answer[kAnswerSize];
  const ssize_t size = ::recv(socket_.get(), answer, sizeof(answer), 0);
  if (size < 0) return Error::from_errno(errno, "cannot hear of " + interface(name));
  const auto message = std::span(answer).first(static_cast<std::size_t>(size));
  const auto header = read<nlmsghdr>(message);
  const auto body = message.subspan(std::min(sizeof(nlmsghdr), message.size()));
  if (header.nlmsg_type == NLMSG_ERROR) {
    const int error = -read<nlmsgerr>(body).error;
    if (error == ENODEV) return std::optional<LinkFacts>();
    return Error::from_errno(error, "cannot hear of " + interface(name));
  }
  return std::optional(parse_link(body));
}

Result<void> Links::set_up(const std::string& name) const {
  ifreq request = request_by_ioctl(name);
  if (::ioctl(socket_.get(), SIOCGIFFLAGS, &request) == 0) {
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    if (::ioctl(socket_.get(), SIOCSIFFLAGS, &request) == 0) return {};
  }
  return Error::from_errno(errno, "cannot set " + interface(name) + " up");
}

Result<void> Links::set_mtu(const std::string& name, u32 mtu) const {
  ifreq request = request_by_ioctl(name);
  request.ifr_mtu = static_cast<int>(mtu);
  if (::ioctl(socket_.get(), SIOCSIFMTU, &request) == 0) return {};
  return Error::from_errno(errno, "cannot set the MTU of " + interface(name));
}

}  // namespace mote::virtio
