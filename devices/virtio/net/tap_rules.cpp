// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/net/tap_rules.hpp"

#include <linux/if_tun.h>

#include <cerrno>

#include "core/text.hpp"
#include "devices/virtio/net/header.hpp"

#ifndef TUN_F_USO4  // Linux 6.2
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace mote::virtio {
namespace {

using namespace net_feature;

constexpr const char* kOpenFlags = "IFF_TAP | IFF_NO_PI | IFF_VNET_HDR";

std::string tap(const std::string& name) {
  return "tap '" + name + "'";
}

/// The command that makes the tap for this user.
std::string make(const TapAttempt& attempt) {
  return format("sudo ip tuntap add dev %s mode tap%s user %u && sudo ip link set %s up",
                attempt.name.c_str(), attempt.pairs > 1 ? " multi_queue" : "", attempt.user,
                attempt.name.c_str());
}

std::string make_anew(const TapAttempt& attempt) {
  return format("sudo ip tuntap del dev %s mode tap && ", attempt.name.c_str()) + make(attempt);
}

Error refuse_other_kind(const TapAttempt& attempt, const LinkFacts& link) {
  const std::string what = link.kind == "tun"
                               ? "a tun, which carries packets without Ethernet headers"
                           : link.kind.empty() ? "a network card"
                                               : "an interface of kind '" + link.kind + "'";
  TapAttempt other = attempt;
  other.name = "NAME";
  return Error::config("cannot use '" + attempt.name + "' as a tap: it is " + what +
                       " -- name a tap; this makes one: " + make(other));
}

Error refuse_owner(const TapAttempt& attempt, const LinkFacts& link) {
  const std::string owner = link.owner   ? format("user %u", *link.owner)
                            : link.group ? format("group %u", *link.group)
                                         : std::string("somebody else");
  return Error::host(
      "cannot open " + tap(attempt.name) + ": it belongs to " + owner +
      format(", and this is user %u", attempt.user) +
      " -- run Mote as its owner, or make it anew for this user: " + make_anew(attempt));
}

}  // namespace

Error explain_device(int error) {
  const char* remedy = "";
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      remedy = "load the module: sudo modprobe tun; a container needs --device /dev/net/tun";
      break;
    case EACCES:
      remedy = "let the user open it: sudo chmod 0666 /dev/net/tun, as it is by default";
      break;
    case EPERM:
      remedy = "the container or its device cgroup forbids it: pass --device /dev/net/tun";
      break;
    default:
      break;
  }
  return Error::from_errno(error, "cannot open '/dev/net/tun', the way to taps", remedy);
}

Error explain_attach(int error, const TapAttempt& attempt, const std::optional<LinkFacts>& link) {
  if (!link && error != EPERM) return Error::from_errno(error, "cannot make " + tap(attempt.name));
  if (!link) {
    return Error::from_errno(error, "cannot make " + tap(attempt.name),
                             "there is none, and this user cannot make it -- " + make(attempt));
  }
  if (!link->carries_frames) return refuse_other_kind(attempt, *link);
  if (attempt.pairs > 1 && !link->multi_queue) {
    return Error::config("cannot open " + tap(attempt.name) +
                         format(" with %u queue pairs: it was made with one", attempt.pairs) +
                         " -- take queues = 1, or make it anew: " + make_anew(attempt));
  }
  if (error == EPERM) return refuse_owner(attempt, *link);
  if (error == EBUSY || error == E2BIG) return explain_busy(attempt);
  return Error::from_errno(error, "cannot open " + tap(attempt.name));
}

Error explain_busy(const TapAttempt& attempt) {
  TapAttempt other = attempt;
  other.name = "NAME";
  return Error::host("cannot open " + tap(attempt.name) +
                     ": another process has it open -- end that one (sudo grep -ls 'iff:.*" +
                     attempt.name +
                     "$' /proc/[0-9]*/fdinfo/* names it), or use another tap: " + make(other));
}

Error explain_descriptor(int error, int fd) {
  const std::string what = format("cannot take descriptor %d as a tap", fd);
  switch (error) {
    case EBADF:
      return Error::from_errno(error, what,
                               "it is not open: who starts Mote has to leave it open over exec");
    case ENOTTY:
    case EINVAL:
      return Error::config(what +
                           ": it is something else -- hand over what /dev/net/tun gave and " +
                           "TUNSETIFF made a tap of");
    case EBADFD:
      return Error::config(what + ": it is attached to no interface -- call TUNSETIFF with " +
                           kOpenFlags + " before it is handed over");
    default:
      return Error::from_errno(error, what);
  }
}

Result<void> check_descriptor_flags(int fd, u32 flags, std::size_t count) {
  const char* lacks = nullptr;
  if ((flags & IFF_TAP) == 0) {
    lacks = "IFF_TAP";
  } else if ((flags & IFF_NO_PI) == 0) {
    lacks = "IFF_NO_PI";
  } else if ((flags & IFF_VNET_HDR) == 0) {
    lacks = "IFF_VNET_HDR";
  } else if (count > 1 && (flags & IFF_MULTI_QUEUE) == 0) {
    lacks = "IFF_MULTI_QUEUE";
  }
  if (lacks == nullptr) return {};
  return Error::config(
      format("cannot take descriptor %d as a tap: it was opened without %s -- open "
             "it with %s%s",
             fd, lacks, kOpenFlags, count > 1 ? " | IFF_MULTI_QUEUE" : ""));
}

u32 tap_offloads(u64 features) {
  if ((features & kGuestCsum) == 0) return 0;
  u32 offloads = TUN_F_CSUM;
  if ((features & kGuestTso4) != 0) offloads |= TUN_F_TSO4;
  if ((features & kGuestTso6) != 0) offloads |= TUN_F_TSO6;
  const u64 both = kGuestUso4 | kGuestUso6;
  if ((features & both) == both) offloads |= TUN_F_USO4 | TUN_F_USO6;
  return offloads;
}

u64 tap_features(bool has_uso) {
  return kCsum | kGuestCsum | kHostTso4 | kHostTso6 | kGuestTso4 | kGuestTso6 |
         (has_uso ? kHostUso | kGuestUso4 | kGuestUso6 : 0);
}

}  // namespace mote::virtio
