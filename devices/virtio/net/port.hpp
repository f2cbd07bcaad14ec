// SPDX-License-Identifier: Apache-2.0
// The host's end of a network device, as the device sees it.
#pragma once

#include <string>

#include "core/result.hpp"
#include "core/types.hpp"

namespace mote::virtio {

/// Where a network device's frames go to and come from: the host's end. Each read of a descriptor
/// is one frame with a virtio-net header of 12 bytes before it (num_buffers included, little
/// endian), each write too. Non-blocking descriptors.
class NetPort {
 public:
  virtual ~NetPort() = default;
  /// Name for messages.
  virtual const std::string& name() const = 0;
  /// Feature bits [Virtio 1.2 5.1.3] that the host's end can bear: CSUM, GUEST_CSUM, HOST_TSO4/6,
  /// HOST_USO, GUEST_TSO4/6, GUEST_USO4/6.
  virtual u64 features() const = 0;
  /// How many queue pairs there are; at least 1.
  virtual u32 pair_count() const = 0;
  /// The descriptor of a pair; always the same.
  virtual int fd(u32 pair) const = 0;
  /// Frames for the guest may come as the GUEST_* bits among `features` allow, from now on. Any
  /// thread.
  virtual Result<void> set_offloads(u64 features) = 0;
  /// Pairs 0 .. count-1 get frames from now on, the others none. Any thread.
  virtual Result<void> use_pairs(u32 count) = 0;
};

}  // namespace mote::virtio
