// SPDX-License-Identifier: Apache-2.0
#include "tests/kvm/net_host.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace mote::test {
namespace {

constexpr std::size_t kLargest = 65536 + 64;
constexpr int kReceiveBuffer = 32 << 20;
constexpr std::uint32_t kHostAddress = 0xC6120001;  // 198.18.0.1: benchmarks [RFC 2544]
constexpr std::uint32_t kGuestAddress = 0xC6120002;

std::string reason(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

/// One ioctl on an interface.
void change(const std::string& name, unsigned long request, const ifreq& wanted) {
  ifreq copy = wanted;
  std::strncpy(copy.ifr_name, name.c_str(), IFNAMSIZ - 1);
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::ioctl(fd, request, &copy), 0) << name << ": " << std::strerror(errno);
  ::close(fd);
}

sockaddr_in ipv4(const std::string& address, std::uint16_t port = 0) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  EXPECT_EQ(::inet_pton(AF_INET, address.c_str(), &result.sin_addr), 1) << address;
  return result;
}

ifreq with_address(const std::string& address) {
  ifreq request{};
  const sockaddr_in wanted = ipv4(address);
  std::memcpy(&request.ifr_addr, &wanted, sizeof(wanted));
  return request;
}

void append16(std::string& to, std::uint32_t value) {
  to += static_cast<char>(value >> 8);
  to += static_cast<char>(value);
}
void append32(std::string& to, std::uint32_t value) {
  append16(to, value >> 16);
  append16(to, value);
}

/// In ones' complement, not inverted [RFC 1071].
std::uint16_t sum(std::string_view data) {
  std::uint32_t total = 0;
  for (std::size_t i = 0; i < data.size(); i += 2) {
    total += std::uint32_t{static_cast<std::uint8_t>(data[i])} << 8;
    if (i + 1 < data.size()) total += static_cast<std::uint8_t>(data[i + 1]);
  }
  while (total >> 16 != 0) total = (total & 0xFFFF) + (total >> 16);
  return static_cast<std::uint16_t>(total);
}

std::string ip_header(std::uint8_t protocol, std::uint32_t size) {
  std::string ip;
  append16(ip, 0x4500);
  append16(ip, 20 + size);
  append32(ip, 0x00004000);
  append16(ip, 64U << 8 | protocol);
  append16(ip, 0);
  append32(ip, kHostAddress);
  append32(ip, kGuestAddress);
  const std::uint16_t checksum = static_cast<std::uint16_t>(~sum(ip));
  ip[10] = static_cast<char>(checksum >> 8);
  ip[11] = static_cast<char>(checksum);
  return ip;
}

/// What belongs into the checksum's field while the checksum is left to do.
std::uint16_t pseudo_sum(std::uint8_t protocol, std::uint32_t size) {
  std::string words;
  append32(words, kHostAddress);
  append32(words, kGuestAddress);
  append32(words, protocol);
  append32(words, size);
  return sum(words);
}

std::string numbered(std::uint32_t size) {
  std::string data(size, '\0');
  for (std::uint32_t i = 0; i < size; ++i) data[i] = static_cast<char>(i * 7 + (i >> 8));
  return data;
}

}  // namespace

NetworkNamespace::NetworkNamespace() {
  before_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (before_ < 0 || ::unshare(CLONE_NEWNET) != 0) {
    problem_ = reason("no network namespace can be made here (root can)");
    if (before_ >= 0) ::close(before_);
    before_ = -1;
    return;
  }
  // The host is to send nothing of its own accord.
  for (const char* which : {"all", "default"}) {
    std::ofstream("/proc/sys/net/ipv6/conf/" + std::string(which) + "/disable_ipv6") << "1\n";
  }
}

NetworkNamespace::~NetworkNamespace() {
  if (before_ < 0) return;
  EXPECT_EQ(::setns(before_, CLONE_NEWNET), 0) << std::strerror(errno);
  ::close(before_);
}

HostTap::HostTap(std::string name, const Options& options) : name_(std::move(name)) {
  const int fd = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  EXPECT_GE(fd, 0) << reason("/dev/net/tun");
  ifreq request{};
  std::strncpy(request.ifr_name, name_.c_str(), IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
                                         (options.is_multi_queue ? IFF_MULTI_QUEUE : 0));
  EXPECT_EQ(::ioctl(fd, TUNSETIFF, &request), 0) << reason(name_);
  EXPECT_EQ(::ioctl(fd, TUNSETPERSIST, 1), 0) << reason(name_);
  ::close(fd);
  index_ = static_cast<int>(::if_nametoindex(name_.c_str()));
  if (!options.address.empty()) {
    change(name_, SIOCSIFADDR, with_address(options.address));
    change(name_, SIOCSIFNETMASK, with_address("255.255.255.0"));
  }
  if (options.queue_length > 0) {
    ifreq length{};
    length.ifr_qlen = options.queue_length;
    change(name_, SIOCSIFTXQLEN, length);
  }
  set_mtu(options.mtu);
  set_up(true);
}

HostTap::~HostTap() {
  if (index_ != 0) remove();
}

void HostTap::set_up(bool is_up) const {
  ifreq request{};
  request.ifr_flags = static_cast<short>(is_up ? IFF_UP | IFF_RUNNING : 0);
  change(name_, SIOCSIFFLAGS, request);
}

void HostTap::set_mtu(int mtu) const {
  ifreq request{};
  request.ifr_mtu = mtu;
  change(name_, SIOCSIFMTU, request);
}

void HostTap::remove() {
  struct {
    nlmsghdr head;
    ifinfomsg link;
  } request{};
  request.head.nlmsg_len = sizeof(request);
  request.head.nlmsg_type = RTM_DELLINK;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.link.ifi_index = index_;
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  EXPECT_EQ(::send(fd, &request, sizeof(request), 0), static_cast<ssize_t>(sizeof(request)));
  struct {
    nlmsghdr head;
    nlmsgerr error;
    char rest[256];
  } answer{};
  EXPECT_GT(::recv(fd, &answer, sizeof(answer), 0), 0) << reason("netlink");
  EXPECT_EQ(answer.error.error, 0) << name_ << ": " << std::strerror(-answer.error.error);
  ::close(fd);
  index_ = 0;
}

std::uint64_t HostTap::statistic(const std::string& name) const {
  // By /proc, because /sys shows the namespace that it was mounted in.
  std::ifstream lines("/proc/thread-self/net/dev");
  const bool is_received = name.starts_with("rx_");
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || line.substr(0, colon).find(name_) == std::string::npos) {
      continue;
    }
    unsigned long long fields[16] = {};
    char* at = line.data() + colon + 1;
    for (auto& field : fields) field = std::strtoull(at, &at, 10);
    const auto* half = fields + (is_received ? 0 : 8);
    if (name.ends_with("_bytes")) return half[0];
    if (name.ends_with("_packets")) return half[1];
    if (name.ends_with("_errors")) return half[2];
    if (name.ends_with("_dropped")) return half[3];
  }
  ADD_FAILURE() << "no " << name << " of " << name_;
  return 0;
}

MacBytes reflector_mac() {
  return {"\x02\0\0\0\0\xFE", 6};
}
MacBytes tester_mac() {
  return {"\x02\0\0\0\0\x01", 6};
}

PacketSocket::PacketSocket(const HostTap& tap) {
  fd_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  EXPECT_GE(fd_, 0) << reason("packet socket");
  const int on = 1;
  EXPECT_EQ(::setsockopt(fd_, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
  EXPECT_EQ(::setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
  EXPECT_EQ(::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(int)), 0);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = tap.index();
  EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0)
      << reason(tap.name());
}

PacketSocket::~PacketSocket() {
  ::close(fd_);
}

bool PacketSocket::send(const HostFrame& frame) const {
  VnetHeader header = frame.header;
  std::string bytes = frame.bytes;
  iovec pieces[] = {{&header, sizeof(header)}, {bytes.data(), bytes.size()}};
  return ::writev(fd_, pieces, 2) == static_cast<ssize_t>(sizeof(header) + bytes.size());
}

std::optional<HostFrame> PacketSocket::receive(int milliseconds) const {
  pollfd wanted{fd_, POLLIN, 0};
  if (::poll(&wanted, 1, milliseconds) <= 0) return std::nullopt;
  HostFrame frame;
  frame.bytes.resize(kLargest);
  iovec pieces[] = {{&frame.header, sizeof(VnetHeader)}, {frame.bytes.data(), kLargest}};
  const ssize_t got = ::readv(fd_, pieces, 2);
  if (got < static_cast<ssize_t>(sizeof(VnetHeader))) return std::nullopt;
  frame.bytes.resize(static_cast<std::size_t>(got) - sizeof(VnetHeader));
  return frame;
}

std::string ethernet(const MacBytes& to, const MacBytes& from, std::uint16_t type,
                     std::string_view payload) {
  std::string frame = to + from;
  append16(frame, type);
  frame += payload;
  return frame;
}

HostFrame tcp_frame(const MacBytes& to, std::uint32_t size, std::uint16_t gso_size) {
  constexpr std::uint8_t kTcp = 6;
  std::string packet = ip_header(kTcp, 20 + size);
  append16(packet, 5001);
  append16(packet, 5002);
  append32(packet, 1);
  append32(packet, 1);
  append32(packet, 0x5018FFFF);
  append16(packet, pseudo_sum(kTcp, 20 + size));
  append16(packet, 0);
  HostFrame frame;
  frame.bytes = ethernet(to, tester_mac(), ETHERTYPE_IP, packet + numbered(size));
  frame.header = {kNeedsChecksum, std::uint8_t{0}, 54, gso_size, 34, 16};
  if (gso_size != 0) frame.header.gso_type = kGsoTcp4;
  return frame;
}

HostFrame udp_frame(const MacBytes& to, std::uint32_t size, std::uint16_t gso_size) {
  constexpr std::uint8_t kUdp = 17;
  std::string packet = ip_header(kUdp, 8 + size);
  append16(packet, 5001);
  append16(packet, 5002);
  append16(packet, 8 + size);
  append16(packet, pseudo_sum(kUdp, 8 + size));
  HostFrame frame;
  frame.bytes = ethernet(to, tester_mac(), ETHERTYPE_IP, packet + numbered(size));
  frame.header = {kNeedsChecksum, std::uint8_t{0}, 42, gso_size, 34, 6};
  if (gso_size != 0) frame.header.gso_type = kGsoUdpL4;
  return frame;
}

Reflector::Reflector(const HostTap& tap) : socket_(tap), thread_([this] { run(); }) {}

Reflector::~Reflector() {
  is_over_ = true;
  thread_.join();
}

void Reflector::run() {
  const MacBytes own = reflector_mac();
  while (!is_over_) {
    std::optional<HostFrame> frame = socket_.receive(20);
    if (!frame || frame->bytes.compare(0, 6, own) != 0) continue;
    frame->bytes = frame->bytes.substr(6, 6) + own + frame->bytes.substr(12);
    frame->header.flags &= kNeedsChecksum;
    // The kernel wakes a tap's queue some time after a process has opened it, later on a busy host.
    bool is_sent = socket_.send(*frame);
    for (int i = 0; i < 2'000 && !is_sent && errno == ENOBUFS && !is_over_; ++i) {
      ::usleep(1'000);
      is_sent = socket_.send(*frame);
    }
    if (is_sent) ++returned_;
  }
}

UdpSocket::UdpSocket(const std::string& address, std::uint16_t port) {
  fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const sockaddr_in peer = ipv4(address, port);
  EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)), 0)
      << reason(address);
  EXPECT_EQ(::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(int)), 0);
}

UdpSocket::~UdpSocket() {
  ::close(fd_);
}

bool UdpSocket::send(std::string_view data) const {
  return ::send(fd_, data.data(), data.size(), 0) == static_cast<ssize_t>(data.size());
}

std::optional<std::string> UdpSocket::receive(int milliseconds) const {
  pollfd wanted{fd_, POLLIN, 0};
  if (::poll(&wanted, 1, milliseconds) <= 0) return std::nullopt;
  std::string data(kLargest, '\0');
  const ssize_t got = ::recv(fd_, data.data(), data.size(), 0);
  if (got < 0) return std::nullopt;
  data.resize(static_cast<std::size_t>(got));
  return data;
}

bool UdpSocket::echoes(std::string_view data, int milliseconds) const {
  if (!send(data)) return false;
  const std::optional<std::string> answer = receive(milliseconds);
  return answer && *answer == data;
}

void NetTest::SetUp() {
  KvmTest::SetUp();
  if (IsSkipped()) return;
  space_.emplace();
  if (!space_->problem().empty()) GTEST_SKIP() << space_->problem();
}

void NetTest::TearDown() {
  space_.reset();
}

}  // namespace mote::test
