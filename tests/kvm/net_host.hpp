// SPDX-License-Identifier: Apache-2.0
// The host's end of a guest's network, for tests: a network namespace of the test's own, taps in
// it, sockets that speak raw frames. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN. What is made here goes
// with the namespace, also when a test is killed.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "tests/kvm/run_mote.hpp"

namespace mote::test {

/// Keeps the thread that made it in a new, empty network namespace; processes and threads that it
/// starts are there as well.
class NetworkNamespace {
 public:
  NetworkNamespace();
  ~NetworkNamespace();
  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;

  /// Empty when it could be entered, else why not.
  const std::string& problem() const { return problem_; }

 private:
  int before_ = -1;
  std::string problem_;
};

/// A persistent tap that is up, for a program to open by its name.
class HostTap {
 public:
  struct Options {
    bool is_multi_queue = false;
    int mtu = 1500;
    int queue_length = 0;  ///< frames that wait in each queue; the kernel's default when 0
    std::string address;   ///< of the host, with a mask of 24 bits; none when empty
  };
  HostTap(std::string name, const Options& options);
  ~HostTap();
  HostTap(const HostTap&) = delete;
  HostTap& operator=(const HostTap&) = delete;

  const std::string& name() const { return name_; }
  int index() const { return index_; }
  void set_up(bool is_up) const;
  void set_mtu(int mtu) const;
  /// Deletes the interface, also under the program that has it open.
  void remove();
  /// A number in the interface's statistics: "rx_packets" is what the guest sent.
  std::uint64_t statistic(const std::string& name) const;

 private:
  std::string name_;
  int index_ = 0;
};

/// A hardware address as text of six bytes.
using MacBytes = std::string;
/// The address that kit::frame::kReflector names.
MacBytes reflector_mac();
/// Of the host's frames where no other is wanted.
MacBytes tester_mac();

/// virtio's header as packet sockets have it: without num_buffers.
struct VnetHeader {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t header_length = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);
inline constexpr std::uint8_t kNeedsChecksum = 1;
inline constexpr std::uint8_t kGsoTcp4 = 1;
inline constexpr std::uint8_t kGsoUdpL4 = 5;

/// A frame and what is said about it.
struct HostFrame {
  VnetHeader header;
  std::string bytes;
};

/// Raw frames of one interface, those that the host itself sends left out.
class PacketSocket {
 public:
  explicit PacketSocket(const HostTap& tap);
  ~PacketSocket();
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;

  /// False when the kernel does not take it: errno tells why.
  bool send(const HostFrame& frame) const;
  /// The next frame that comes in `milliseconds`.
  std::optional<HostFrame> receive(int milliseconds) const;

 private:
  int fd_ = -1;
};

/// Ethernet header and payload.
std::string ethernet(const MacBytes& to, const MacBytes& from, std::uint16_t type,
                     std::string_view payload);
/// A frame with a TCP segment over IPv4 of `size` bytes of data, its checksum left to do and to be
/// cut to `gso_size` bytes (0: it is not large).
HostFrame tcp_frame(const MacBytes& to, std::uint32_t size, std::uint16_t gso_size);
/// The same with UDP.
HostFrame udp_frame(const MacBytes& to, std::uint32_t size, std::uint16_t gso_size);

/// Returns each frame that is sent to reflector_mac(), in a thread of its own.
class Reflector {
 public:
  explicit Reflector(const HostTap& tap);
  ~Reflector();
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  std::uint64_t returned() const { return returned_; }

 private:
  void run();

  PacketSocket socket_;
  std::atomic<bool> is_over_ = false;
  std::atomic<std::uint64_t> returned_ = 0;
  std::thread thread_;
};

/// A UDP socket of the host.
class UdpSocket {
 public:
  /// Talks to this address and port.
  UdpSocket(const std::string& address, std::uint16_t port);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  bool send(std::string_view data) const;
  std::optional<std::string> receive(int milliseconds) const;
  /// Sends and waits for the same again; false when something else or nothing comes in time.
  bool echoes(std::string_view data, int milliseconds = 10'000) const;
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

/// A test in a network namespace of its own; skips, with its reason, where that cannot be had.
class NetTest : public KvmTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::optional<NetworkNamespace> space_;
};

}  // namespace mote::test
