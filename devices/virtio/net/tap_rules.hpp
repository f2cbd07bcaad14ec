// SPDX-License-Identifier: Apache-2.0
// What a tap is asked for, and why it may refuse: in words, with the command that mends it. Pure.
#pragma once

#include <optional>
#include <string>

#include "core/result.hpp"
#include "core/types.hpp"
#include "devices/virtio/net/links.hpp"

namespace mote::virtio {

/// An attempt to open a tap.
struct TapAttempt {
  std::string name;
  u32 pairs = 1;  ///< of queues
  u32 user = 0;   ///< who tries
};

/// Why /dev/net/tun did not open.
Error explain_device(int error);

/// Why TUNSETIFF refused. `link`: the interface of that name, if there is one.
Error explain_attach(int error, const TapAttempt& attempt, const std::optional<LinkFacts>& link);

/// Somebody else has the tap open.
Error explain_busy(const TapAttempt& attempt);

/// Why TUNGETIFF refused descriptor `fd`.
Error explain_descriptor(int error, int fd);

/// Refuses what a tap that is handed over as `count` descriptors must have been opened with (IFF_
/// flags) but was not.
Result<void> check_descriptor_flags(int fd, u32 flags, std::size_t count);

/// What TUNSETOFFLOAD has to say of the frames that the guest takes. `features`: the GUEST_ bits
/// that are in force [Virtio 1.2 5.1.3]; others have no effect. Large frames need GUEST_CSUM, and
/// a tap knows large UDP frames of both IP versions or none.
u32 tap_offloads(u64 features);

/// The features of a tap, with or without large UDP frames.
u64 tap_features(bool has_uso);

}  // namespace mote::virtio
