// SPDX-License-Identifier: Apache-2.0
// The controlq of a network device [Virtio 1.2 5.1.6.5]: commands in, one byte of answer out.
#pragma once

#include "devices/virtio/net/control.hpp"
#include "devices/virtio/net/queue.hpp"

namespace mote::virtio {

/// Carries commands out. On the control queue's loop.
class NetCommandHandler {
 public:
  virtual ~NetCommandHandler() = default;
  /// True when it was done.
  virtual bool execute(const NetCommand& command) = 0;
};

/// A command of a wrong size or with an impossible argument gets an error; one that leaves no room
/// for the answer breaks the queue.
class NetControlQueue final : public QueueWorker {
 public:
  /// A device of `pairs` queue pairs. `device` and `handler` outlive the queue.
  NetControlQueue(NetDevice& device, u32 pairs, NetCommandHandler& handler,
                  std::shared_ptr<QueueKick> kick)
      : QueueWorker(device, std::move(kick)), device_(device), pairs_(pairs), handler_(handler) {}

 private:
  bool begin_queue() override { return true; }
  bool serve() override;
  bool wants_more() const override { return true; }
  bool is_idle() const override { return true; }
  NetCommand read();

  NetDevice& device_;
  const u32 pairs_;
  NetCommandHandler& handler_;
};

}  // namespace mote::virtio
