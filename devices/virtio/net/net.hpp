// SPDX-License-Identifier: Apache-2.0
// A network interface: the virtio network device [Virtio 1.2 5.1].
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "devices/virtio/device.hpp"
#include "devices/virtio/net/control_queue.hpp"
#include "devices/virtio/net/port.hpp"
#include "devices/virtio/net/receive_queue.hpp"
#include "devices/virtio/net/transmit_queue.hpp"

namespace mote::virtio {

/// How an interface looks to the guest.
struct NetOptions {
  std::string id;
  std::array<u8, 6> mac{};
  u16 mtu = 0;           ///< bytes; 0: the guest is not told
  u16 queue_size = 256;  ///< a power of two up to kMaxQueueSize
  std::optional<TokenBucket> rx_bytes;
  std::optional<TokenBucket> rx_frames;
  std::optional<TokenBucket> tx_bytes;
  std::optional<TokenBucket> tx_frames;
};

/// Moves frames between a driver and a port. Its queues are receiveq and transmitq of each pair,
/// then the controlq; for a driver without MQ the controlq is queue 2 [Virtio 1.2 5.1.2]. Pair p is
/// served by loop p modulo their number, the controlq by loop 0, as queue 2 by the second pair's.
class Net final : public Device, private NetCommandHandler {
 public:
  static constexpr u32 kMaxPairs = 8;
  /// Places of a loop's table of fixed files that one device takes at most.
  static constexpr u32 kFilesPerLoop = kMaxPairs;

  /// What driver and host have set; plain data.
  struct Settings {
    u64 features = 0;  ///< negotiated; 0: not yet
    u16 pairs = 1;     ///< in use
    u64 offloads = 0;  ///< GUEST_* bits that are on
    bool link_up = true;
    bool announce = false;  ///< the driver has been asked to announce itself and has not yet
    bool operator==(const Settings&) const = default;
  };
  /// All that another device needs to go on; plain data.
  struct State {
    Settings settings;
    /// By pair: frames that have left the port and have not reached the driver, each behind a
    /// NetHeader. At most 128 of a pair.
    std::vector<FrameReader::Frames> frames;
    bool operator==(const State&) const = default;
  };
  /// Since the start. Bytes are those of frames, without the headers between us and the port.
  struct Counters {
    u64 received = 0;
    u64 received_bytes = 0;
    u64 receive_dropped = 0;
    u64 receive_throttled = 0;  ///< how often frames had to wait for the rate limit
    u64 sent = 0;
    u64 sent_bytes = 0;
    u64 send_dropped = 0;
    u64 send_throttled = 0;
  };

  /// Before the loops run. `memory` and the loops outlive the interface.
  static Result<std::unique_ptr<Net>> create(const NetOptions& options,
                                             std::unique_ptr<NetPort> port,
                                             const GuestMemory& memory,
                                             std::span<EventLoop* const> loops);

  /// Plugs the cable in or out: while it is out, frames of both directions are dropped. Any thread.
  void set_link(bool up);
  /// Asks the driver to announce itself, as after a move to another host. Any thread.
  void announce();
  /// Changes rate limits; a frame is an operation. Any thread.
  void set_limits(const RateChange& rx, const RateChange& tx);
  /// Any thread.
  Counters counters() const;

  /// Any thread.
  Settings settings() const;
  /// Precondition for both: all queues rest. Takes any State, before the transport's or after it;
  /// no queue is started.
  State save() const;
  void restore(State state);

  std::string_view name() const override { return id_; }
  u32 type() const override { return 1; }
  u64 features() const override;
  u32 queue_count() const override { return 2 * pair_count() + 1; }
  u16 max_queue_size() const override { return queue_size_; }
  void read_config(u64 offset, std::span<std::byte> data) override;
  void write_config(u64, std::span<const std::byte>) override {}
  u32 config_generation() const override { return generation_; }
  void set_events(DeviceEvents& events) override { device_.events = &events; }
  void set_driver_features(u64 features) override;
  void start(u32 index, const Queue& queue) override { worker(index).start(index, queue); }
  void stop(u32 index, Countdown& rested) override { worker(index).stop(rested); }
  QueuePosition position(u32 index) const override { return worker(index).position(); }
  void reset() override;
  int kick_fd(u32 index) const override { return worker(index).kick_fd(); }

 private:
  Net(const NetOptions& options, std::unique_ptr<NetPort> port, const GuestMemory& memory);
  u32 pair_count() const { return static_cast<u32>(receive_.size()); }
  QueueWorker& worker(u32 index) const;
  bool execute(const NetCommand& command) override;
  void apply(Settings settings);
  void report(const Error& error);
  bool set_pairs(u16 pairs);
  bool set_offloads(u64 offloads);
  void on_status_changed();

  const std::string id_;
  const std::array<u8, 6> mac_;
  const u16 queue_size_;
  NetDevice device_;
  const std::unique_ptr<NetPort> port_;
  std::vector<std::unique_ptr<NetTransmitQueue>> transmit_;
  std::vector<std::unique_ptr<NetReceiveQueue>> receive_;
  std::unique_ptr<NetControlQueue> control_;
  std::unique_ptr<NetControlQueue> early_control_;  // null with one pair

  mutable std::mutex lock_;  // guards the two below; taken before the port's and loops'
  Settings settings_;
  bool restored_ = false;  // the transport is about to tell the features that `settings_` has
  std::atomic<u32> generation_{0};
};

}  // namespace mote::virtio
