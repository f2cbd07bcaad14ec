// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/nets.hpp"

#include <algorithm>
#include <utility>

#include "core/text.hpp"
#include "vmm/machine/buckets.hpp"

namespace mote {
namespace {

static_assert(kMaxNetQueues <= virtio::Net::kMaxPairs);

virtio::NetOptions options(const NetConfig& net, std::size_t number, const MacAddress& mac) {
  return {.id = net_id(net, number),
          .mac = mac,
          .mtu = static_cast<u16>(net.mtu),
          .queue_size = static_cast<u16>(net.queue_size),
          .rx_bytes = token_bucket(net.rx_bandwidth),
          .rx_frames = token_bucket(net.rx_frames),
          .tx_bytes = token_bucket(net.tx_bandwidth),
          .tx_frames = token_bucket(net.tx_frames)};
}

}  // namespace

Result<Nets> Nets::create(const VmConfig& config, std::vector<std::unique_ptr<virtio::Tap>> taps,
                          const GuestMemory& memory, std::span<EventLoop* const> loops) {
  Nets nets;
  std::vector<MacAddress> macs;
  for (std::size_t number = 0; number < config.nets.size(); ++number) {
    const NetConfig& net = config.nets[number];
    std::unique_ptr<virtio::Tap>& tap = taps[number];
    const MacAddress mac = net.mac.value_or(default_mac(net_id(net, number), tap->name()));
    // The name of a tap that was handed over is known only now, and with it the default.
    const auto same = std::find(macs.begin(), macs.end(), mac);
    if (same != macs.end()) {
      return Error::config(
          format("net[%zu].mac: net[%td] has it as well: '", number, same - macs.begin()) +
          print_mac(mac) + "' -- choose another");
    }
    macs.push_back(mac);
    nets.nets_.push_back(
        TRY(virtio::Net::create(options(net, number, mac), std::move(tap), memory, loops)));
  }
  return nets;
}

virtio::Net* Nets::find(std::string_view id) const {
  for (const auto& net : nets_) {
    if (net->name() == id) return net.get();
  }
  return nullptr;
}

void Nets::collect(MetricsSink& sink) const {
  for (const auto& net : nets_) {
    const virtio::Net::Counters counters = net->counters();
    const auto show = [&](const char* name, u64 value) {
      sink.counter("net", net->name(), name, value);
    };
    show("rx_packets_count", counters.received);
    show("rx_bytes_count", counters.received_bytes);
    show("rx_dropped", counters.receive_dropped);
    show("rx_rate_limiter_throttled", counters.receive_throttled);
    show("tx_packets_count", counters.sent);
    show("tx_bytes_count", counters.sent_bytes);
    show("tx_dropped", counters.send_dropped);
    show("tx_rate_limiter_throttled", counters.send_throttled);
  }
}

}  // namespace mote
