// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/net_option.hpp"

#include <array>
#include <limits>
#include <string>

#include "vmm/config/nearest.hpp"
#include "vmm/config/option_words.hpp"

namespace mote {
namespace {

constexpr std::string_view kFd = "fd";
constexpr std::array<std::string_view, 7> kKeys = {kFd,      "id",         "mac",      "mtu",
                                                   "queues", "queue_size", "transport"};

Result<void> add_fd(std::string_view value, NetConfig& net) {
  u32 number = 0;
  TRY(set_option_number(kFd, value, number));
  if (number > static_cast<u32>(std::numeric_limits<int>::max())) {
    return refused_value(kFd, value, "an open descriptor");
  }
  net.fds.push_back(static_cast<int>(number));
  return {};
}

Result<void> set(std::string_view key, std::string_view value, NetConfig& net) {
  if (key == kFd) return add_fd(value, net);
  if (key == "id") {
    net.id = value;
    return {};
  }
  if (key == "mac") {
    net.mac = TRY(parse_mac(value));
    return {};
  }
  if (key == "mtu") return set_option_number(key, value, net.mtu);
  if (key == "queues") return set_option_number(key, value, net.queues);
  if (key == "queue_size") return set_option_number(key, value, net.queue_size);
  if (key == "transport") {
    net.transport = TRY(parse_transport(value));
    return {};
  }
  return Error::config("unknown key '" + std::string(key) + "'" + did_you_mean(key, kKeys) +
                       " -- fd, id, mac, mtu, queues, queue_size and transport are known");
}

}  // namespace

Result<NetConfig> parse_net_option(std::string_view text) {
  NetConfig net;
  // The kernel takes an equals sign in a name, but such a tap needs a TOML file.
  if (text.substr(0, text.find(',')).find('=') == std::string_view::npos) net.tap = cut(text, ',');
  while (!text.empty()) {
    std::string_view value = cut(text, ',');
    const std::string_view key = cut(value, '=');
    TRY(set(key, value, net));
  }
  return net;
}

}  // namespace mote
