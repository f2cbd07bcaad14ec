// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/net/net.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mote::virtio {
namespace {

/// The configuration space [Virtio 1.2 5.1.4].
struct Config {
  u8 mac[6];
  u16 status;
  u16 max_virtqueue_pairs;
  u16 mtu;
};
static_assert(sizeof(Config) == 12);

// Bits of `status`.
constexpr u16 kLinkUp = 1;
constexpr u16 kAnnounce = 2;

}  // namespace

Net::Net(const NetOptions& options, std::unique_ptr<NetPort> port, const GuestMemory& memory)
    : id_(options.id),
      mac_(options.mac),
      queue_size_(options.queue_size),
      device_(memory),
      port_(std::move(port)) {
  device_.title = "net " + options.id;
  device_.rules.mtu = options.mtu;
  device_.receive_limiter.change({.bytes = options.rx_bytes, .operations = options.rx_frames});
  device_.transmit_limiter.change({.bytes = options.tx_bytes, .operations = options.tx_frames});
}

Result<std::unique_ptr<Net>> Net::create(const NetOptions& options, std::unique_ptr<NetPort> port,
                                         const GuestMemory& memory,
                                         std::span<EventLoop* const> loops) {
  const u32 pairs = port->pair_count();
  CHECK(pairs >= 1 && pairs <= kMaxPairs && !loops.empty(), "the port was asked for as many");
  std::unique_ptr<Net> net(new Net(options, std::move(port), memory));
  const auto make_kick = [&](u32 pair) -> Result<std::shared_ptr<QueueKick>> {
    return std::make_shared<QueueKick>(*loops[pair % loops.size()], TRY(EventFd::create()));
  };
  std::shared_ptr<QueueKick> third;
  for (u32 pair = 0; pair < pairs; ++pair) {
    const int fd = net->port_->fd(pair);
    const FixedFile file = TRY(loops[pair % loops.size()]->add_file(fd));
    net->transmit_.push_back(
        std::make_unique<NetTransmitQueue>(net->device_, fd, file, TRY(make_kick(pair))));
    std::shared_ptr<QueueKick> kick = TRY(make_kick(pair));
    if (pair == 1) third = kick;
    net->receive_.push_back(TRY(NetReceiveQueue::create(
        net->device_, fd, net->port_->name(), net->transmit_[pair]->counters(), std::move(kick))));
  }
  NetCommandHandler& handler = *net;
  net->control_ =
      std::make_unique<NetControlQueue>(net->device_, pairs, handler, TRY(make_kick(0)));
  if (third) {
    net->early_control_ =
        std::make_unique<NetControlQueue>(net->device_, pairs, handler, std::move(third));
  }
  return net;
}

QueueWorker& Net::worker(u32 index) const {
  const u32 pair = index / 2;
  if (pair == pair_count()) return *control_;
  if (index == 2 && (device_.rules.features & net_feature::kMq) == 0) return *early_control_;
  if (index % 2 == 0) return *receive_[pair];
  return *transmit_[pair];
}

u64 Net::features() const {
  const u64 offloads =
      port_->features() & (net_feature::kGuestOffloads | net_feature::kHostOffloads);
  const bool can_switch = (offloads & net_feature::kGuestOffloads) != 0;
  return net_feature::kMac | net_feature::kStatus | net_feature::kMrgRxbuf | net_feature::kCtrlVq |
         net_feature::kGuestAnnounce | offloads |
         (can_switch ? net_feature::kCtrlGuestOffloads : 0) |
         (device_.rules.mtu != 0 ? net_feature::kMtu : 0) |
         (pair_count() > 1 ? net_feature::kMq : 0);
}

void Net::read_config(u64 offset, std::span<std::byte> data) {
  Config config{};
  std::copy(mac_.begin(), mac_.end(), config.mac);
  config.max_virtqueue_pairs = static_cast<u16>(pair_count());
  config.mtu = device_.rules.mtu;
  {
    const std::lock_guard guard(lock_);
    config.status =
        static_cast<u16>((settings_.link_up ? kLinkUp : 0) | (settings_.announce ? kAnnounce : 0));
  }
  std::byte bytes[sizeof(config)];
  std::memcpy(bytes, &config, sizeof(config));
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i] =
        offset < sizeof(config) && i < sizeof(config) - offset ? bytes[offset + i] : std::byte{0};
  }
}

void Net::set_driver_features(u64 features) {
  const std::lock_guard guard(lock_);
  if (std::exchange(restored_, false) && features == settings_.features) return;
  // What was negotiated is on, and one pair is in use, until the driver says otherwise
  // [Virtio 1.2 5.1.6.5.5, 5.1.6.5.6].
  apply({.features = features,
         .pairs = 1,
         .offloads = features & net_feature::kGuestOffloads,
         .link_up = settings_.link_up});
}

/// Makes `settings` the device's, as far as device and features allow.
void Net::apply(Settings settings) {
  const u64 features = settings.features;
  if (!are_offloads_possible(settings.offloads, features)) settings.offloads = 0;
  if ((features & net_feature::kGuestAnnounce) == 0) settings.announce = false;
  settings_ = settings;
  device_.rules.features = features;
  device_.link_up = settings.link_up;
  const u32 most = (features & net_feature::kMq) != 0 ? pair_count() : 1;
  static_cast<void>(set_offloads(settings.offloads));
  static_cast<void>(set_pairs(static_cast<u16>(std::clamp<u32>(settings.pairs, 1, most))));
}

void Net::report(const Error& error) {
  device_.log_limiter.log(LogLevel::kError, "%s: %s", device_.title.c_str(),
                          error.message().c_str());
}

/// False when the host cannot; then nothing has changed.
bool Net::set_offloads(u64 offloads) {
  const auto done = port_->set_offloads(offloads);
  if (!done) {
    report(done.error());
    return false;
  }
  settings_.offloads = offloads;
  return true;
}

/// The same. Nobody reads from a pair that the port does not serve.
bool Net::set_pairs(u16 pairs) {
  for (u32 pair = pairs; pair < pair_count(); ++pair) receive_[pair]->set_active(false);
  const auto done = pair_count() > 1 ? port_->use_pairs(pairs) : Result<void>();
  if (done) settings_.pairs = pairs;
  for (u32 pair = 0; pair < settings_.pairs; ++pair) receive_[pair]->set_active(true);
  if (done) return true;
  report(done.error());
  return false;
}

bool Net::execute(const NetCommand& command) {
  const std::lock_guard guard(lock_);
  switch (command.kind) {
    case NetCommandKind::kSetPairs:
      return set_pairs(command.pairs);
    case NetCommandKind::kSetOffloads:
      return set_offloads(command.offloads);
    case NetCommandKind::kAnnounced:
      settings_.announce = false;
      return true;
    case NetCommandKind::kRefused:
      break;
  }
  return false;
}

void Net::set_link(bool up) {
  {
    const std::lock_guard guard(lock_);
    if (settings_.link_up == up) return;
    settings_.link_up = up;
    device_.link_up = up;
  }
  on_status_changed();
}

void Net::announce() {
  {
    const std::lock_guard guard(lock_);
    if ((settings_.features & net_feature::kGuestAnnounce) == 0) return;
    settings_.announce = true;
  }
  on_status_changed();
}

void Net::set_limits(const RateChange& rx, const RateChange& tx) {
  device_.receive_limiter.change(rx);
  device_.transmit_limiter.change(tx);
  for (const auto& queue : receive_) queue->limits_changed();
  for (const auto& queue : transmit_) queue->limits_changed();
}

void Net::on_status_changed() {
  ++generation_;
  device_.events->on_config_changed();
}

Net::Counters Net::counters() const {
  Counters sum;
  for (const auto& queue : receive_) {
    sum.received += queue->counters().frames.value();
    sum.received_bytes += queue->counters().bytes.value();
    sum.receive_dropped += queue->counters().dropped.value();
    sum.receive_throttled += queue->throttled();
  }
  for (const auto& queue : transmit_) {
    sum.sent += queue->counters().frames.value();
    sum.sent_bytes += queue->counters().bytes.value();
    sum.send_dropped += queue->counters().dropped.value();
    sum.send_throttled += queue->throttled();
  }
  return sum;
}

void Net::reset() {
  const std::lock_guard guard(lock_);
  settings_ = {.link_up = settings_.link_up};
  device_.rules.features = 0;
  ++device_.epoch;
  restored_ = false;
  // The port is told when the next driver comes: nobody reads frames before.
}

Net::Settings Net::settings() const {
  const std::lock_guard guard(lock_);
  return settings_;
}

Net::State Net::save() const {
  State state{.settings = settings(), .frames = {}};
  for (const auto& queue : receive_) state.frames.push_back(queue->save_frames());
  return state;
}

void Net::restore(State state) {
  const std::lock_guard guard(lock_);
  restored_ = state.settings.features != 0 && settings_.features == 0;
  apply(state.settings);
  state.frames.resize(pair_count());
  for (u32 pair = 0; pair < pair_count(); ++pair) {
    receive_[pair]->restore_frames(std::move(state.frames[pair]));
  }
}

}  // namespace mote::virtio
