// SPDX-License-Identifier: Apache-2.0
// The address of a Unix socket, for both of its ends.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "core/result.hpp"
#include "core/text.hpp"

namespace mote::http {

/// The Error is without the path.
inline Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return Error::config(
        format("the path of a socket has 1 to %zu bytes", sizeof(address.sun_path) - 1));
  }
  path.copy(address.sun_path, path.size());
  return address;
}

/// bind(2) and connect(2) as they want it.
template <class Call>
int with_address(Call call, int fd, const sockaddr_un& address) {
  return call(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

}  // namespace mote::http
