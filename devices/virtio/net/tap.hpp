// SPDX-License-Identifier: Apache-2.0
// A tap: an Ethernet interface of the host whose frames a network device reads and writes.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "devices/virtio/net/port.hpp"

namespace mote::virtio {

/// A tap to open by its name.
struct TapOptions {
  std::string name;  ///< as `check_interface_name` takes it
  u32 pairs = 1;     ///< queue pairs; more than one need a tap with multi_queue
  u16 mtu = 0;       ///< what the guest is told, or 0; a tap that is made gets it
};

/// An open tap, one descriptor per queue pair. Belongs to one process at a time.
class Tap final : public NetPort {
 public:
  /// Opens the tap that is there, or makes one, which is up and goes with this object. A tap that
  /// another process has is waited for, a quarter of a second at most. Each Error has the command
  /// that mends it.
  static Result<std::unique_ptr<Tap>> open(const TapOptions& options);
  /// Takes over descriptors of one tap that another process has opened, one for each pair, with
  /// IFF_TAP | IFF_NO_PI | IFF_VNET_HDR. They are closed with this object.
  static Result<std::unique_ptr<Tap>> adopt(std::span<const int> fds);
  /// The same descriptors once more, of a tap that no device has used yet.
  Result<std::unique_ptr<Tap>> duplicate() const;

  const std::string& name() const override { return name_; }
  u64 features() const override { return features_; }
  u32 pair_count() const override { return static_cast<u32>(queues_.size()); }
  int fd(u32 pair) const override { return queues_[pair].get(); }
  Result<void> set_offloads(u64 features) override;
  /// What waits in the other pairs is dropped; reads of them wait until they are in use again.
  Result<void> use_pairs(u32 count) override;

 private:
  explicit Tap(std::string name) : name_(std::move(name)) {}
  Result<void> attach(const TapOptions& options);
  Result<void> prepare();
  Result<void> use_pair(u32 pair, bool in_use);

  std::string name_;
  u64 features_ = 0;
  std::vector<UniqueFd> queues_;

  std::mutex lock_;  // guards the number below, and what it says of the queues
  u32 pairs_in_use_ = 0;
};

}  // namespace mote::virtio
