// SPDX-License-Identifier: Apache-2.0
// Taps of the kernel, each in a network of its own: opened, made, handed over, refused.
#include "devices/virtio/net/tap.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <cstring>
#include <thread>

#include "devices/virtio/net/links.hpp"
#include "devices/virtio/net/tap_rules.hpp"
#include "tests/unit/devices/virtio/net/network_namespace.hpp"

namespace mote::virtio {
namespace {

constexpr int kTap = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

#define IN_NETWORK_NAMESPACE(body)                                                     \
  if (const std::string obstacle = test::in_network_namespace body; !obstacle.empty()) \
  GTEST_SKIP() << obstacle

std::optional<LinkFacts> look_at(const std::string& name) {
  const auto links = Links::open();
  EXPECT_TRUE(links);
  auto facts = links->look_at(name);
  EXPECT_TRUE(facts);
  return facts ? *facts : std::nullopt;
}

std::string refusal(const TapOptions& options) {
  const auto tap = Tap::open(options);
  return tap ? "" : tap.error().message();
}

std::string refusal(std::vector<int> fds) {
  const auto tap = Tap::adopt(fds);
  return tap ? "" : tap.error().message();
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The other end of a tap: sees and sends its frames.
class Wire {
 public:
  explicit Wire(const std::string& interface)
      : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  void send(const std::string& frame) const {
    EXPECT_EQ(::send(socket_.get(), frame.data(), frame.size(), 0),
              static_cast<ssize_t>(frame.size()));
  }
  /// The next frame with this EtherType; the kernel sends some of its own.
  std::string receive(const std::string& type) const {
    char frame[2048];
    while (true) {
      pollfd wait{socket_.get(), POLLIN, 0};
      if (::poll(&wait, 1, 2000) != 1) return "nothing came";
      const ssize_t size = ::recv(socket_.get(), frame, sizeof(frame), 0);
      const std::string got(frame, static_cast<std::size_t>(size));
      if (got.substr(12, 2) == type) return got;
    }
  }

 private:
  UniqueFd socket_;
};

/// An Ethernet frame of a type that nobody else uses [IEEE 802: local experimental].
std::string frame_with(const std::string& text) {
  std::string frame = "\x02\xaa\xaa\xaa\xaa\x01\x02\xaa\xaa\xaa\xaa\x02\x88\xb5" + text;
  frame.resize(64, '.');
  return frame;
}

/// The next frame of the experimental type with its header, as a device reads it.
std::string read_frame(int fd) {
  char frame[2048];
  while (true) {
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, 2000) != 1) return "nothing came";
    const ssize_t size = ::read(fd, frame, sizeof(frame));
    const std::string got(frame, static_cast<std::size_t>(size));
    if (got.substr(12 + 12, 2) == "\x88\xb5") return got;
  }
}

u32 ethtool(const std::string& name, u32 command) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_value value{command, 0};
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  EXPECT_EQ(::ioctl(socket.get(), SIOCETHTOOL, &request), 0);
  return value.data;
}

TEST(TapTest, ATapThatIsMadeIsUpAndGoesWithItsUser) {
  IN_NETWORK_NAMESPACE(([] {
    {
      const auto tap = Tap::open({.name = "t0", .mtu = 9000});
      ASSERT_TRUE(tap) << tap.error().message();
      EXPECT_EQ((*tap)->name(), "t0");
      EXPECT_EQ((*tap)->pair_count(), 1u);
      EXPECT_EQ(look_at("t0"),
                (LinkFacts{.kind = "tun", .up = true, .mtu = 9000, .carries_frames = true}));
    }
    EXPECT_FALSE(look_at("t0"));
  }));
}

TEST(TapTest, FramesPassBothWaysBehindAHeaderOf12Bytes) {
  IN_NETWORK_NAMESPACE(([] {
    const auto tap = Tap::open({.name = "t0"});
    ASSERT_TRUE(tap) << tap.error().message();
    const Wire wire("t0");
    const std::string out = frame_with("to the wire");
    const std::string written = std::string(12, '\0') + out;
    EXPECT_EQ(::write((*tap)->fd(0), written.data(), written.size()),
              static_cast<ssize_t>(written.size()));
    EXPECT_EQ(wire.receive("\x88\xb5"), out);
    const std::string in = frame_with("from the wire");
    wire.send(in);
    EXPECT_EQ(read_frame((*tap)->fd(0)).substr(12), in);
    char byte = 0;
    while (::read((*tap)->fd(0), &byte, 1) > 0) {
    }
    EXPECT_EQ(errno, EAGAIN) << "it does not block";
  }));
}

TEST(TapTest, ATapThatIsThereIsTakenAndStays) {
  IN_NETWORK_NAMESPACE(([] {
    ASSERT_TRUE(test::make_tap("t0"));
    EXPECT_EQ(refusal({.name = "t0"}), "");
    EXPECT_TRUE(look_at("t0"));
    EXPECT_FALSE(look_at("t0")->up) << "it is as it was";
    EXPECT_EQ(refusal({.name = "t0"}), "") << "and can be taken again";
  }));
}

TEST(TapTest, ATapIsForOneProcess) {
  IN_NETWORK_NAMESPACE(([] {
    for (const u32 pairs : {1u, 2u}) {
      const auto first = Tap::open({.name = "t0", .pairs = pairs});
      ASSERT_TRUE(first) << first.error().message();
      EXPECT_TRUE(has(refusal({.name = "t0", .pairs = pairs}), "another process has it open"));
      EXPECT_EQ(look_at("t0")->queues, pairs == 1 ? 0 : pairs) << "the second one has let go";
    }
  }));
}

TEST(TapTest, ADuplicateKeepsTheTap) {
  IN_NETWORK_NAMESPACE(([] {
    std::unique_ptr<Tap> last;
    {
      const auto first = Tap::open({.name = "t0", .pairs = 2});
      ASSERT_TRUE(first) << first.error().message();
      auto copy = (*first)->duplicate();
      ASSERT_TRUE(copy) << copy.error().message();
      last = *std::move(copy);
      EXPECT_EQ(last->features(), (*first)->features());
    }
    EXPECT_TRUE(has(refusal({.name = "t0", .pairs = 2}), "another process has it open"));
    ASSERT_EQ(last->pair_count(), 2u);
    EXPECT_TRUE(last->use_pairs(1));
    const Wire wire("t0");
    wire.send(frame_with("here"));
    EXPECT_EQ(read_frame(last->fd(0)).substr(12), frame_with("here"));
    last.reset();
    EXPECT_FALSE(look_at("t0"));
  }));
}

TEST(TapTest, ATapThatItsUserIsAboutToLetGoIsWaitedFor) {
  IN_NETWORK_NAMESPACE(([] {
    ASSERT_TRUE(test::make_tap("t0"));
    ASSERT_TRUE(test::make_tap("t1", IFF_MULTI_QUEUE));
    for (const u32 pairs : {1u, 2u}) {
      const TapOptions options{.name = pairs == 1 ? "t0" : "t1", .pairs = pairs};
      auto first = Tap::open(options);
      ASSERT_TRUE(first) << first.error().message();
      std::thread end([tap = *std::move(first)]() mutable {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        tap.reset();
      });
      EXPECT_EQ(refusal(options), "");
      end.join();
    }
  }));
}

TEST(TapTest, SeveralPairsNeedATapThatWasMadeForThem) {
  IN_NETWORK_NAMESPACE(([] {
    ASSERT_TRUE(test::make_tap("t0"));
    EXPECT_TRUE(
        has(refusal({.name = "t0", .pairs = 2}), "with 2 queue pairs: it was made with one"));
    ASSERT_TRUE(test::make_tap("t1", IFF_MULTI_QUEUE));
    EXPECT_EQ(refusal({.name = "t1", .pairs = 8}), "");
    EXPECT_EQ(refusal({.name = "t1", .pairs = 1}), "") << "one is enough for any tap";
  }));
}

TEST(TapTest, OtherInterfacesAreNoTaps) {
  IN_NETWORK_NAMESPACE(([] {
    const UniqueFd tun = test::open_tun("t0", IFF_TUN);
    EXPECT_TRUE(has(refusal({.name = "t0"}), "it is a tun, which carries packets"));
    EXPECT_TRUE(has(refusal({.name = "lo"}), "cannot use 'lo' as a tap: it is a network card"));
    EXPECT_TRUE(has(refusal({.name = "1234567890123456"}), "is too long for a network interface"));
  }));
}

TEST(TapTest, WithoutRightsATapIsNeitherMadeNorTakenFromItsOwner) {
  IN_NETWORK_NAMESPACE(([] {
    ASSERT_TRUE(test::make_tap("t0", 0, 4711));
    ASSERT_TRUE(test::make_tap("t1", 0, static_cast<int>(::geteuid())));
    ASSERT_TRUE(test::give_up_net_admin());
    EXPECT_TRUE(has(refusal({.name = "t0"}), "it belongs to user 4711, and this is user "));
    EXPECT_TRUE(has(refusal({.name = "t2"}), "there is none, and this user cannot make it"));
    EXPECT_EQ(refusal({.name = "t1"}), "") << "one's own can be taken without rights";
  }));
}

TEST(TapTest, TheDeviceMayBeAbsentOrForbidden) {
  IN_NETWORK_NAMESPACE(([] {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount("none", "/dev/net", "tmpfs", 0, nullptr), 0);
    EXPECT_TRUE(has(refusal({.name = "t0"}), "sudo modprobe tun"));
    {
      const UniqueFd file(::open("/dev/net/tun", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    EXPECT_TRUE(has(refusal({.name = "t0"}), "Permission denied (EACCES) -- let the user open it"));
  }));
}

TEST(TapTest, PairsThatAreNotInUseGetNoFramesUntilTheyAre) {
  IN_NETWORK_NAMESPACE(([] {
    const auto opened = Tap::open({.name = "t0", .pairs = 4});
    ASSERT_TRUE(opened) << opened.error().message();
    Tap& tap = **opened;
    const auto use = [&](u32 count) {
      const auto used = tap.use_pairs(count);
      EXPECT_TRUE(used) << used.error().message();
      for (u32 pair = 0; pair < 4; ++pair) {
        char frame[2048];
        while (::read(tap.fd(pair), frame, sizeof(frame)) > 0) {
          EXPECT_LT(pair, count) << "what waited is dropped";
        }
        EXPECT_EQ(errno, EAGAIN) << count << " " << pair;
      }
      EXPECT_EQ(look_at("t0")->queues, 4u);
    };
    for (const u32 count : {4u, 1u, 3u, 3u, 2u, 4u}) use(count);
    // With one pair in use every frame comes by it.
    use(1);
    const Wire wire("t0");
    for (int n = 0; n < 20; ++n) {
      const std::string frame = frame_with("number " + std::to_string(n));
      wire.send(frame);
      EXPECT_EQ(read_frame(tap.fd(0)).substr(12), frame);
    }
    // What nobody reads in time goes with the pair.
    use(2);
    for (int n = 0; n < 200; ++n) wire.send(frame_with("flow " + std::to_string(n)));
    use(1);
  }));
}

TEST(TapTest, TheHostSendsWhatTheGuestTakes) {
  IN_NETWORK_NAMESPACE(([] {
    const auto opened = Tap::open({.name = "t0"});
    ASSERT_TRUE(opened) << opened.error().message();
    Tap& tap = **opened;
    EXPECT_EQ(tap.features() & tap_features(false), tap_features(false));
    const auto expect = [](bool checksums, bool large) {
      EXPECT_EQ(ethtool("t0", ETHTOOL_GTXCSUM) != 0, checksums);
      EXPECT_EQ(ethtool("t0", ETHTOOL_GTSO) != 0, large);
    };
    expect(false, false);
    EXPECT_TRUE(tap.set_offloads(tap.features()));
    expect(true, true);
    EXPECT_TRUE(tap.set_offloads(u64{1} << 1));
    expect(true, false);
    EXPECT_TRUE(tap.set_offloads(~u64{0})) << "bits that are not the tap's have no effect";
    expect(true, true);
    EXPECT_TRUE(tap.set_offloads(0));
    expect(false, false);
  }));
}

TEST(TapTest, ATapIsAsNewForItsNextUser) {
  IN_NETWORK_NAMESPACE(([] {
    ASSERT_TRUE(test::make_tap("t0"));
    EXPECT_TRUE((*Tap::open({.name = "t0"}))->set_offloads(~u64{0}));
    EXPECT_NE(ethtool("t0", ETHTOOL_GTXCSUM), 0u);
    const auto tap = Tap::open({.name = "t0"});
    EXPECT_EQ(ethtool("t0", ETHTOOL_GTXCSUM), 0u);
  }));
}

TEST(TapTest, DescriptorsAreTakenOverWithoutRights) {
  IN_NETWORK_NAMESPACE(([] {
    UniqueFd first = test::open_tun("t0", kTap | IFF_MULTI_QUEUE);
    UniqueFd second = test::open_tun("t0", kTap | IFF_MULTI_QUEUE);
    ASSERT_TRUE(first && second);
    ASSERT_TRUE(Links::open()->set_up("t0"));
    ASSERT_TRUE(test::give_up_net_admin());
    const std::array fds = {first.release(), second.release()};
    const auto tap = Tap::adopt(fds);
    ASSERT_TRUE(tap) << tap.error().message();
    EXPECT_EQ((*tap)->name(), "t0");
    EXPECT_EQ((*tap)->pair_count(), 2u);
    EXPECT_EQ((*tap)->fd(1), fds[1]);
    EXPECT_TRUE((*tap)->use_pairs(1));
    EXPECT_TRUE((*tap)->set_offloads(~u64{0}));
    char frame[2048];
    while (::read((*tap)->fd(0), frame, sizeof(frame)) > 0) {
    }
    EXPECT_EQ(errno, EAGAIN) << "it does not block any more";
  }));
}

TEST(TapTest, DescriptorsThatAreNoTapAreRefused) {
  IN_NETWORK_NAMESPACE(([] {
    const UniqueFd one = test::open_tun("t0", kTap);
    const UniqueFd other = test::open_tun("t1", kTap | IFF_MULTI_QUEUE);
    const UniqueFd third = test::open_tun("t2", kTap | IFF_MULTI_QUEUE);
    const UniqueFd tun = test::open_tun("t3", IFF_TUN | IFF_NO_PI);
    const UniqueFd bare(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_TRUE(has(refusal({12345}), "it is not open"));
    EXPECT_TRUE(has(refusal({file.get()}), "it is something else"));
    EXPECT_TRUE(has(refusal({bare.get()}), "it is attached to no interface"));
    EXPECT_TRUE(has(refusal({tun.get()}), "opened without IFF_TAP"));
    EXPECT_TRUE(has(refusal({one.get(), other.get()}), "opened without IFF_MULTI_QUEUE"));
    EXPECT_TRUE(
        has(refusal({other.get(), third.get()}), "two taps as one interface: 't1' and 't2'"));
    EXPECT_GE(::fcntl(one.get(), F_GETFD), 0) << "what is refused stays open";
  }));
}

}  // namespace
}  // namespace mote::virtio
