// SPDX-License-Identifier: Apache-2.0
// A network of the test's own: nothing in it reaches the host's interfaces.
#pragma once

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <thread>

#include "core/fd.hpp"

namespace mote::test {

/// Runs `body` on a thread in a new network namespace, which goes with it. What the thread gives up
/// (rights, mounts) stays with the others. Returns why that cannot be done here, or nothing.
inline std::string in_network_namespace(const std::function<void()>& body) {
  std::string obstacle;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) {
      obstacle =
          Error::from_errno(errno, "cannot make a network namespace", "run it as root").message();
    } else if (const UniqueFd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC)); !tun) {
      obstacle = Error::from_errno(errno, "cannot open /dev/net/tun").message();
    } else {
      body();
    }
  }).join();
  return obstacle;
}

/// Takes this thread's right to change networks.
inline bool give_up_net_admin() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  data[0].effective &= ~(1u << CAP_NET_ADMIN);
  return ::syscall(SYS_capset, &header, data) == 0;
}

/// What an administrator does with ip-tuntap(8): a queue of interface `name` with these IFF_ flags.
inline UniqueFd open_tun(const std::string& name, int flags) {
  UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(flags);
  if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) != 0) fd.reset();
  return fd;
}

/// A tap that stays; `owner` -1: anybody's.
inline bool make_tap(const std::string& name, int more_flags = 0, int owner = -1) {
  const UniqueFd fd = open_tun(name, IFF_TAP | IFF_NO_PI | more_flags);
  return fd && ::ioctl(fd.get(), TUNSETPERSIST, 1) == 0 &&
         (owner < 0 || ::ioctl(fd.get(), TUNSETOWNER, owner) == 0);
}

}  // namespace mote::test
