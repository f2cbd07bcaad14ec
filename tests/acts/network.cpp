// SPDX-License-Identifier: Apache-2.0
// The network, and sockets of other processes.
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cstring>

#include "tests/acts/act.hpp"

namespace mote::acts {
namespace {

long new_socket(int family, int type) {
  return call(SYS_socket, family, type | SOCK_CLOEXEC, 0);
}

sockaddr_in local(u16 port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

long connect_tcp(const Target& target) {
  const long socket = new_socket(AF_INET, SOCK_STREAM);
  const sockaddr_in address = local(target.port);
  return socket < 0 ? -1 : call(SYS_connect, socket, &address, sizeof(address));
}

long send_udp(const Target& target) {
  const long socket = new_socket(AF_INET, SOCK_DGRAM);
  const sockaddr_in address = local(target.port);
  return socket < 0 ? -1 : call(SYS_sendto, socket, "?", 1, 0, &address, sizeof(address));
}

/// `name` begins with a zero byte, or is a path.
long connect_unix(std::string_view name) {
  const long socket = new_socket(AF_UNIX, SOCK_STREAM);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  return socket < 0 ? -1 : call(SYS_connect, socket, &address, size);
}

/// Sets the flags of the loop-back interface to what they are, and up.
long change_interface() {
  const long socket = new_socket(AF_INET, SOCK_DGRAM);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (socket < 0 || call(SYS_ioctl, socket, SIOCGIFFLAGS, &request) < 0) return -1;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return call(SYS_ioctl, socket, SIOCSIFFLAGS, &request);
}

/// By a socket that was left open.
long send_by_any() {
  for (int fd = 0; fd < 1024; ++fd) {
    const long sent = call(SYS_sendto, fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0);
    if (sent >= 0) return sent;
  }
  return -1;
}

constexpr Act kActs[] = {
    {"connect_tcp", "socket", Wall::kNamespaces, &connect_tcp},
    {"send_udp", "socket", Wall::kNamespaces, &send_udp},
    {"connect_abstract", "socket", Wall::kNamespaces,
     [](const Target& target) { return connect_unix(std::string(1, '\0') + target.socket); }},
    {"connect_unix", "socket", Wall::kRoot,
     [](const Target& target) { return connect_unix(target.folder + "/socket"); }},
    {"packet_socket", "socket", Wall::kPrivileges,
     [](const Target&) { return new_socket(AF_PACKET, SOCK_RAW); }},
    {"change_interface", "socket", Wall::kPrivileges,
     [](const Target&) { return change_interface(); }},
    {"send_by_any", "sendto", Wall::kDescriptors, [](const Target&) { return send_by_any(); },
     jail::roles(ThreadRole::kApi)},
    {"socket_pair", "socketpair", Wall::kFilterAlone,
     [](const Target&) {
       int ends[2];
       return call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, ends);
     }},
};

}  // namespace

std::span<const Act> network_acts() {
  return kActs;
}

}  // namespace mote::acts
