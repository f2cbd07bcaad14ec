// SPDX-License-Identifier: Apache-2.0
// A host's end of sockets: what a network device writes the test reads, and the other way round.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "core/check.hpp"
#include "core/fd.hpp"
#include "devices/virtio/net/header.hpp"
#include "devices/virtio/net/port.hpp"
#include "tests/unit/core/loop_thread.hpp"

namespace mote::test {

/// What a FakePort and its test share; the port itself belongs to the device.
struct FakeWire {
  explicit FakeWire(u32 pair_count = 1) {
    for (u32 pair = 0; pair < pair_count; ++pair) {
      int fds[2];
      CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0,
            "sockets can be made");
      device.emplace_back(fds[0]);
      host.emplace_back(fds[1]);
    }
  }
  /// Sends a header and a frame behind it; false when the socket is full.
  bool send(const virtio::NetHeader& header, std::string_view frame, u32 pair = 0) const {
    std::string bytes(sizeof(header), '\0');
    std::memcpy(bytes.data(), &header, sizeof(header));
    bytes += frame;
    return send_raw(bytes, pair);
  }
  bool send_raw(std::string_view bytes, u32 pair = 0) const {
    return ::send(host[pair].get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  /// The next frame that the device has sent, with its header; nothing when none comes in time.
  struct Received {
    virtio::NetHeader header;
    std::string frame;
  };
  std::optional<Received> receive(u32 pair = 0, int wait_ms = 30'000) const {
    pollfd ready{host[pair].get(), POLLIN, 0};
    if (::poll(&ready, 1, wait_ms) != 1) return std::nullopt;
    std::string bytes(1 << 17, '\0');
    const ssize_t size = ::recv(host[pair].get(), bytes.data(), bytes.size(), 0);
    if (size < static_cast<ssize_t>(sizeof(virtio::NetHeader))) return std::nullopt;
    Received received;
    std::memcpy(&received.header, bytes.data(), sizeof(received.header));
    received.frame = bytes.substr(sizeof(received.header),
                                  static_cast<std::size_t>(size) - sizeof(received.header));
    return received;
  }

  /// Whether the device has read all that was sent.
  bool is_read(u32 pair = 0) const {
    pollfd ready{device[pair].get(), POLLIN, 0};
    return ::poll(&ready, 1, 0) == 0;
  }

  std::vector<UniqueFd> device, host;
  u64 features = ~u64{0};
  std::atomic<u64> offloads{~u64{0}};  ///< as set last
  std::atomic<u32> pairs{0};           ///< as set last
  std::atomic<bool> fails{false};      ///< every wish is refused
};

class FakePort final : public virtio::NetPort {
 public:
  explicit FakePort(FakeWire& wire) : wire_(wire) {}
  const std::string& name() const override { return name_; }
  u64 features() const override { return wire_.features; }
  u32 pair_count() const override { return static_cast<u32>(wire_.device.size()); }
  int fd(u32 pair) const override { return wire_.device[pair].get(); }
  Result<void> set_offloads(u64 features) override {
    if (wire_.fails) return Error::host("no offloads today");
    wire_.offloads = features;
    return {};
  }
  Result<void> use_pairs(u32 count) override {
    if (wire_.fails) return Error::host("no pairs today");
    wire_.pairs = count;
    return {};
  }

 private:
  FakeWire& wire_;
  const std::string name_ = "fake0";
};

}  // namespace mote::test
