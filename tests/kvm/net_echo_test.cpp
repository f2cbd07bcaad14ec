// SPDX-License-Identifier: Apache-2.0
// What the host sees of guests that answer: datagrams, frames of all sizes, segments; taps that go
// down or away.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "tests/kvm/net_guest.hpp"

namespace mote::test {
namespace {

constexpr char kHost[] = "10.77.0.1";
constexpr char kGuest[] = "10.77.0.2";
constexpr std::uint16_t kEchoPort = 7;

class NetEcho : public NetTest {
 protected:
  /// A guest that answers at kGuest, on a tap whose host is kHost.
  void start(const std::string& words = {}, const HostTap::Options& options = {},
             const std::string& keys = {}, const std::vector<std::string>& more = {}) {
    HostTap::Options own = options;
    own.address = kHost;
    tap_.emplace("guest0", own);
    process_.emplace(arguments_for("net_echo", "guest0,mac=" + guest_mac_text() + keys,
                                   std::string("address=") + kGuest + " " + words + " seconds=120",
                                   more));
    process_->close_input();
    ASSERT_TRUE(process_->wait_for_output("ready " + guest_mac_text()))
        << process_->output() << process_->errors();
  }
  /// Ends the guest; its word about what it saw.
  Outcome end() {
    UdpSocket(kGuest, kEchoPort).send("end");
    return process_->finish(kPatience);
  }
  void TearDown() override {
    process_.reset();
    tap_.reset();
    NetTest::TearDown();
  }

  std::optional<HostTap> tap_;
  std::optional<Process> process_;
};

/// Sends `count` datagrams of many sizes, at most 32 on their way, and compares what comes back, in
/// order. The first goes alone: the host keeps only a few for an address that it has to ask for.
void exchange(const UdpSocket& socket, int count) {
  const auto datagram = [](int number) {
    std::string data(8 + static_cast<std::size_t>(number) * 37 % 1465, '\0');
    for (std::size_t i = 0; i < data.size(); ++i) {
      data[i] = static_cast<char>(static_cast<std::size_t>(number) * 31 + i * 7);
    }
    std::memcpy(data.data(), &number, sizeof(number));
    return data;
  };
  int sent = 0;
  for (int received = 0; received < count; ++received) {
    const int most = received == 0 ? 1 : 32;
    for (; sent < count && sent - received < most; ++sent) ASSERT_TRUE(socket.send(datagram(sent)));
    const std::optional<std::string> answer = socket.receive(kAnswerMs);
    ASSERT_TRUE(answer.has_value()) << "datagram " << received << " is lost";
    ASSERT_EQ(*answer, datagram(received)) << "datagram " << received;
  }
}

TEST_F(NetEcho, TenThousandDatagramsComeBack) {
  start();
  const UdpSocket socket(kGuest, kEchoPort);
  exchange(socket, 10'000);
  const Outcome outcome = end();
  expect_passes(outcome, 6);
  EXPECT_EQ(result(outcome, "udp"), 10'000) << outcome.out;
  EXPECT_GT(result(outcome, "interrupts"), 0) << outcome.out;
}

TEST_F(NetEcho, TenThousandDatagramsComeBackToAPollingGuestWithoutFeatures) {
  start("wait=poll mergeable=0 offloads=0");
  const UdpSocket socket(kGuest, kEchoPort);
  exchange(socket, 10'000);
  const Outcome outcome = end();
  expect_passes(outcome, 6);
  EXPECT_EQ(result(outcome, "interrupts"), 0) << outcome.out;
}

TEST_F(NetEcho, TenThousandDatagramsComeBackOverThePciBus) {
  start("", {}, ",transport=pci");
  const UdpSocket socket(kGuest, kEchoPort);
  exchange(socket, 10'000);
  const Outcome outcome = end();
  expect_passes(outcome, 6);
  EXPECT_GT(result(outcome, "interrupts"), 0) << outcome.out;
}

TEST_F(NetEcho, FlowsSpreadOverQueuePairs) {
  start("queues=4", {.is_multi_queue = true}, ",queues=4", {"--io-threads", "2"});
  std::vector<std::unique_ptr<UdpSocket>> flows;
  for (int i = 0; i < 16; ++i) flows.push_back(std::make_unique<UdpSocket>(kGuest, kEchoPort));
  for (const auto& flow : flows) exchange(*flow, 500);
  const Outcome outcome = end();
  expect_passes(outcome, 9);
  EXPECT_EQ(result(outcome, "udp"), 8'000) << outcome.out;
  int in_use = 0;
  for (const char* name : {"in_queue_0", "in_queue_1", "in_queue_2", "in_queue_3"}) {
    in_use += result(outcome, name) > 0;
  }
  EXPECT_GE(in_use, 2) << outcome.out;
}

TEST_F(NetEcho, FramesAboveTheMtuComeWhereTheGuestWasToldOfNone) {
  start("offloads=0", {.mtu = 9000});
  const UdpSocket socket(kGuest, kEchoPort);
  for (const std::size_t size : {1472U, 1473U, 2000U, 4096U, 8972U}) {
    EXPECT_TRUE(socket.echoes(std::string(size, 'm'), kAnswerMs)) << size;
  }
  const Outcome outcome = end();
  expect_passes(outcome, 6);
  EXPECT_GE(result(outcome, "merged"), 3) << outcome.out;
}

// [Virtio 1.2 5.1.4.1]
TEST_F(NetEcho, FramesAboveTheMtuThatTheGuestWasToldDoNotCome) {
  start("offloads=0", {.mtu = 9000}, ",mtu=1500");
  const UdpSocket socket(kGuest, kEchoPort);
  for (const std::size_t size : {2000U, 8972U}) {
    EXPECT_FALSE(socket.echoes(std::string(size, 'm'), 50)) << size;
    EXPECT_TRUE(socket.echoes(std::string(1472, 'm'), kAnswerMs)) << size;
  }
  const Outcome outcome = end();
  expect_passes(outcome, 6);
  EXPECT_EQ(result(outcome, "udp"), 2) << outcome.out;
}

TEST_F(NetEcho, FramesThatDoNotFitAreDroppedAndOthersAreNot) {
  start("offloads=0 mergeable=0 buffer=1526", {.mtu = 9000});
  const UdpSocket socket(kGuest, kEchoPort);
  for (int round = 0; round < 5; ++round) {
    EXPECT_TRUE(socket.echoes(std::string(1472, 'f'))) << round;
    EXPECT_FALSE(socket.echoes(std::string(1473, 'l'), 50)) << round;
    EXPECT_FALSE(socket.echoes(std::string(8000, 'l'), 50)) << round;
  }
  EXPECT_TRUE(socket.echoes("small"));
  expect_passes(end(), 6);
}

TEST_F(NetEcho, RuntsPass) {
  start("offloads=0");
  const PacketSocket socket(*tap_);
  for (std::uint32_t size = 14; size < 60; ++size) {
    const HostFrame frame = plain_frame(guest_mac(), size);
    ASSERT_TRUE(socket.send(frame)) << size << ": " << std::strerror(errno);
    const std::optional<HostFrame> answer = socket.receive(kAnswerMs);
    ASSERT_TRUE(answer.has_value()) << size;
    EXPECT_EQ(answer->bytes, swapped(frame.bytes)) << size;
  }
  expect_passes(end(), 6);
}

TEST_F(NetEcho, LargeSegmentsPassUncutBothWays) {
  start();
  const PacketSocket socket(*tap_);
  for (const std::uint32_t size : {2000U, 30'000U, 65'481U}) {
    const HostFrame frame = tcp_frame(guest_mac(), size, 1448);
    for (int round = 0; round < 20; ++round) {
      ASSERT_TRUE(socket.send(frame)) << std::strerror(errno);
      const std::optional<HostFrame> answer = socket.receive(kAnswerMs);
      ASSERT_TRUE(answer.has_value()) << size;
      EXPECT_EQ(answer->bytes, swapped(frame.bytes)) << size;
      EXPECT_EQ(answer->header.gso_type, kGsoTcp4);
      EXPECT_EQ(answer->header.gso_size, 1448);
      EXPECT_EQ(answer->header.flags & kNeedsChecksum, kNeedsChecksum);
    }
  }
  const Outcome outcome = end();
  expect_passes(outcome, 6);
  EXPECT_EQ(result(outcome, "large"), 60) << outcome.out;
  EXPECT_GE(result(outcome, "merged"), 40) << outcome.out;
}

TEST_F(NetEcho, LargeSegmentsAreCutForAGuestThatTakesNone) {
  start("offloads=0");
  const PacketSocket socket(*tap_);
  constexpr std::uint32_t kSize = 60'000;
  ASSERT_TRUE(socket.send(tcp_frame(guest_mac(), kSize, 1448)));
  std::uint32_t bytes = 0;
  while (bytes < kSize) {
    const std::optional<HostFrame> answer = socket.receive(kAnswerMs);
    ASSERT_TRUE(answer.has_value()) << bytes;
    ASSERT_LE(answer->bytes.size(), 1514U);
    bytes += static_cast<std::uint32_t>(answer->bytes.size()) - 54;
  }
  EXPECT_EQ(bytes, kSize);
  const Outcome outcome = end();
  expect_passes(outcome, 6);  // among them: no checksum was left to do
  EXPECT_EQ(result(outcome, "large"), 0) << outcome.out;
}

TEST_F(NetEcho, ATapThatIsDownLosesFramesAndComesBack) {
  start();
  const UdpSocket socket(kGuest, kEchoPort);
  exchange(socket, 100);
  for (int round = 0; round < 3; ++round) {
    tap_->set_up(false);
    EXPECT_FALSE(socket.send("lost") && socket.receive(20).has_value());
    tap_->set_up(true);
    const UdpSocket again(kGuest, kEchoPort);
    ASSERT_TRUE(again.echoes("back", kAnswerMs)) << round << process_->errors();
  }
  exchange(UdpSocket(kGuest, kEchoPort), 100);
  expect_passes(end(), 6);
}

TEST_F(NetEcho, ATapThatIsDeletedTakesOnlyTheNetworkAway) {
  start("seconds=3");
  exchange(UdpSocket(kGuest, kEchoPort), 100);
  tap_->remove();
  const double before = cpu_beside_the_vcpu(process_->pid());
  ::usleep(500'000);
  const double spent = cpu_beside_the_vcpu(process_->pid()) - before;
  EXPECT_LT(spent, 0.15) << "of 0.5 s";
  const Outcome outcome = process_->finish();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("DONE"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("guest0"), std::string::npos) << outcome.err;
  EXPECT_LT(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 20) << outcome.err;
}

TEST_F(NetEcho, TwoInterfacesAreTwo) {
  const HostTap first("guest0", {.address = kHost});
  const HostTap second("guest1", {.address = "10.78.0.1"});
  const char* macs[] = {"02:00:00:00:00:02", "02:00:00:00:00:03"};
  const char* addresses[] = {kGuest, "10.78.0.2"};
  for (const int index : {0, 1}) {
    const std::string words =
        "net=" + std::to_string(index) + " address=" + std::string(addresses[index]);
    Process process(arguments_for("net_echo", std::string("guest0,mac=") + macs[0], words,
                                  {"--net", std::string("guest1,mac=") + macs[1]}));
    process.close_input();
    ASSERT_TRUE(process.wait_for_output(std::string("ready ") + macs[index]))
        << process.output() << process.errors();
    const HostTap& other = index == 0 ? second : first;
    const std::uint64_t before = other.statistic("rx_packets");
    exchange(UdpSocket(addresses[index], kEchoPort), 500);
    EXPECT_EQ(other.statistic("rx_packets"), before);
    UdpSocket(addresses[index], kEchoPort).send("end");
    expect_passes(process.finish(), 6);
  }
}

}  // namespace
}  // namespace mote::test
