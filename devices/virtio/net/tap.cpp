// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/net/tap.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "core/check.hpp"
#include "core/interface_name.hpp"
#include "core/log.hpp"
#include "core/patience.hpp"
#include "devices/virtio/net/links.hpp"
#include "devices/virtio/net/tap_rules.hpp"

namespace mote::virtio {
namespace {

/// What stands in front of each frame: `virtio_net_hdr_v1` with num_buffers [Virtio 1.2 5.1.6].
constexpr int kHeaderSize = 12;

u32 flags_of(const ifreq& request) {
  return static_cast<u16>(request.ifr_flags);
}

ifreq request_for(const std::string& name, u32 flags) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(flags);
  return request;
}

/// What would not work although it is no mistake for sure: somebody may be about to mend it.
void warn_of(const TapOptions& options, const LinkFacts& link) {
  const char* const name = options.name.c_str();
  if (!link.up) {
    log(LogLevel::kWarn, "tap '%s' is down, and no frame passes -- sudo ip link set %s up", name,
        name);
  }
  if (options.mtu > link.mtu) {
    log(LogLevel::kWarn,
        "tap '%s' takes %u bytes, and the guest is told %u -- sudo ip link set %s mtu %u", name,
        link.mtu, static_cast<u32>(options.mtu), name, static_cast<u32>(options.mtu));
  }
}

}  // namespace

Result<std::unique_ptr<Tap>> Tap::open(const TapOptions& options) {
  TRY(check_interface_name(options.name));
  std::unique_ptr<Tap> tap(new Tap(options.name));
  TRY(tap->attach(options));
  TRY(tap->prepare());
  return tap;
}

Result<void> Tap::attach(const TapOptions& options) {
  const Links links = TRY(Links::open());
  const auto link = TRY(links.look_at(name_));
  const TapAttempt attempt{.name = name_, .pairs = options.pairs, .user = ::geteuid()};
  const bool multi_queue = options.pairs > 1 || (link && link->multi_queue);
  const u32 flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi_queue ? IFF_MULTI_QUEUE : 0);
  Patience patience;
  for (u32 pair = 0; pair < options.pairs; ++pair) {
    UniqueFd queue(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!queue) return explain_device(errno);
    ifreq request = request_for(name_, flags);
    while (::ioctl(queue.get(), TUNSETIFF, &request) != 0) {
      if (errno == EBUSY && patience.wait()) continue;
      return explain_attach(errno, attempt, link);
    }
    queues_.push_back(std::move(queue));
  }
  if (!link) {
    if (options.mtu != 0) TRY(links.set_mtu(name_, options.mtu));
    return links.set_up(name_);
  }
  // A tap with several queues takes those of several processes, and deals out frames among them.
  while (multi_queue) {
    const auto now = TRY(links.look_at(name_));
    if (!now || now->queues <= options.pairs) break;
    if (!patience.wait()) return explain_busy(attempt);
  }
  warn_of(options, *link);
  return {};
}

Result<std::unique_ptr<Tap>> Tap::adopt(std::span<const int> fds) {
  CHECK(!fds.empty(), "a tap has a descriptor");
  std::optional<std::string> name;
  for (const int fd : fds) {
    ifreq request{};
    if (::ioctl(fd, TUNGETIFF, &request) != 0) return explain_descriptor(errno, fd);
    TRY(check_descriptor_flags(fd, flags_of(request), fds.size()));
    if (!name) name = request.ifr_name;
    if (*name != request.ifr_name) {
      return Error::config("cannot take descriptors of two taps as one interface: '" + *name +
                           "' and '" + request.ifr_name + "' -- give each tap an interface");
    }
  }
  std::unique_ptr<Tap> tap(new Tap(*name));
  for (const int fd : fds) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      return explain_descriptor(errno, fd);
    }
  }
  for (const int fd : fds) tap->queues_.emplace_back(fd);
  TRY(tap->prepare());
  return tap;
}

Result<std::unique_ptr<Tap>> Tap::duplicate() const {
  std::unique_ptr<Tap> copy(new Tap(name_));
  copy->features_ = features_;
  for (const UniqueFd& queue : queues_) copy->queues_.push_back(TRY(mote::duplicate(queue)));
  copy->pairs_in_use_ = copy->pair_count();
  return copy;
}

/// Says how frames look from now on. A tap that outlives its users still has what the last one set.
Result<void> Tap::prepare() {
  const int header_size = kHeaderSize;
  const int little_endian = 1;
  if (::ioctl(fd(0), TUNSETVNETHDRSZ, &header_size) != 0 ||
      ::ioctl(fd(0), TUNSETVNETLE, &little_endian) != 0) {
    return Error::from_errno(errno, "cannot set up the frames of tap '" + name_ + "'",
                             "Mote needs Linux 5.10 or newer");
  }
  // Not all kernels know large UDP frames: tried, not guessed from a version.
  const u64 all = tap_features(true);
  const bool has_uso =
      ::ioctl(fd(0), TUNSETOFFLOAD, static_cast<unsigned long>(tap_offloads(all))) == 0;
  features_ = tap_features(has_uso);
  pairs_in_use_ = pair_count();
  return set_offloads(0);
}

Result<void> Tap::set_offloads(u64 features) {
  const u32 offloads = tap_offloads(features & features_);
  if (::ioctl(fd(0), TUNSETOFFLOAD, static_cast<unsigned long>(offloads)) == 0) return {};
  return Error::from_errno(errno, "cannot set the offloads of tap '" + name_ + "'");
}

// WHY from the last one down: the kernel fills the gap that a queue leaves with its last one, and
// pair n is to stay queue n.
Result<void> Tap::use_pairs(u32 count) {
  CHECK(count >= 1 && count <= pair_count(), "a tap has as many pairs as are used");
  const std::lock_guard guard(lock_);
  for (; pairs_in_use_ > count; --pairs_in_use_) TRY(use_pair(pairs_in_use_ - 1, false));
  for (; pairs_in_use_ < count; ++pairs_in_use_) TRY(use_pair(pairs_in_use_, true));
  return {};
}

Result<void> Tap::use_pair(u32 pair, bool in_use) {
  ifreq request = request_for({}, in_use ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE);
  if (::ioctl(fd(pair), TUNSETQUEUE, &request) == 0) return {};
  return Error::from_errno(errno, "cannot switch a queue of tap '" + name_ + "'");
}

}  // namespace mote::virtio
